// screenshots.mjs - pictures of the page for people (make screenshots): the dashboard empty and
// busy, a task in each status, offline, on a phone, dark, and the operators' page, each from
// real services.
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { root, Stack } from "../integration/harness.mjs";
import { reaches } from "./lives.mjs";
import { closeBrowser, Person } from "./people.mjs";

const out = path.join(root, "build/screenshots");
const org = "acme";

const STATUSES = {
  received: [], analyzing: ["analyzing", "llm_response"], needs_clarification: ["analyzing", "llm_response", "clarification_needed"],
  dispatched: ["analyzing", "llm_response", "dispatched"], coding: ["analyzing", "llm_response", "dispatched", "coding"],
  pr_open: ["analyzing", "llm_response", "dispatched", "coding", "pr_opened"],
  merged: ["analyzing", "llm_response", "dispatched", "coding", "pr_opened", "pr_review", "pr_merged"],
  failed: ["analyzing", "llm_response", "dispatched", "coding", "failed"],
};

const TITLES = [
  ["Show stock levels in the shop window", "merged"], ["Retry payments that time out", "merged"], ["Translate the sign-up page into Polish", "merged"],
  ["Remove the old coupon table", "failed"], ["Speed up the search for long orders", "pr_open"], ["Let people change their e-mail address", "coding"],
  ["Round prices the same way everywhere", "needs_clarification"], ["Explain why a voucher is refused", "received"],
];
const PEOPLE = ["bob", "mia", "ann", "tom"];

/** One whose life is shown: title, text, and how far it has come. */
const SHOWN = [
  ["Show the delivery date in the basket", "merged"], ["Import addresses from the old shop", "failed"], ["Use the new address service", "pr_open"],
  ["Export invoices as PDF/A", "coding"], ["Log in with a passkey", "dispatched"], ["Warn before a basket expires", "needs_clarification"],
  ["Say which parcels are late", "analyzing"], ["Let gifts be wrapped", "received"],
];
const TEXT = `Customers ask for this every week, and the answer is never where they decide.

- take what the carrier says, not what our own table says
- in one sentence, on a phone, too`;

/** What the services say of it, and who they are. */
const SAYS = {
  analyzing: () => ["/analyser", {}],
  llm_response: () => ["/analyser", { taskType: "code_change", summary: "A new field in the basket's view, and one more call to the carrier. Three files." }],
  clarification_needed: () => ["/analyser", { questions: ["How long before it expires?", "By e-mail, too, or in the page alone?"] }],
  dispatched: (n) => ["/dispatcher", { issueNumber: n, issueUrl: `https://github.com/acme/shop/issues/${n}`, githubBranch: `task/${n}` }],
  coding: () => ["/agents/7", {}],
  pr_opened: (n, title) => ["/github/acme/shop", { prNumber: n + 1, prUrl: `https://github.com/acme/shop/pull/${n + 1}`, prTitle: `${title} (#${n})`, prState: "open" }],
  pr_review: (n) => ["/github/acme/shop", { author: "mia", body: "Reads well. One name could be shorter.", url: `https://github.com/acme/shop/pull/${n + 1}#r1` }],
  pr_merged: () => ["/github/acme/shop", { mergeCommitSha: "7c41fe20b9a35d86e1f0", mergedAt: new Date().toISOString() }],
  failed: () => ["/agents/7", { errorMessage: "The tests of the address import did not pass after three attempts." }],
};

async function makeTask(stack, sub, description, status, n) {
  const token = stack.token(sub, org, { name: sub[0].toUpperCase() + sub.slice(1) });
  const id = await stack.createTask({ description, repo: "acme/shop" }, { token });
  for (const input of STATUSES[status]) {
    const [source, data] = SAYS[input](n, description.split("\n")[0]);
    await stack.publish(input, id, data, { source });
  }
  await reaches(stack, id, status, { token });
  return id;
}

const stack = await Stack.start({ gateways: 2 });
try {
  await mkdir(out, { recursive: true });
  const shoot = async (person, name) => {
    await person.page.mouse.move(0, 0);
    // What moves comes to rest first; what moves for ever is shown as it is.
    await person.page.waitForFunction(() => document.getAnimations().every((a) => a.playState !== "running" || a.effect?.getComputedTiming().iterations === Infinity));
    await person.page.screenshot({ path: path.join(out, `${name}.png`) });
    console.log(`  build/screenshots/${name}.png`);
  };
  const viewport = { width: 1280, height: 860 };
  // Her page draws the last minutes: it is opened first and shown last.
  const olga = await Person.open(stack, "olga", { viewport, org: "ops", roles: ["admin"], path: "/admin" });
  const ann = await (await Person.open(stack, "ann", { viewport, org })).live();
  await ann.page.getByText("No tasks yet").waitFor();
  await shoot(ann, "dashboard-empty");

  for (const [i, [title, status]] of TITLES.entries()) await makeTask(stack, PEOPLE[i % PEOPLE.length], title, status, 311 + i * 3);
  const ids = {}, titles = {};
  for (const [i, [title, status]] of SHOWN.entries()) {
    ids[status] = await makeTask(stack, "ann", `${title}\n\n${TEXT}`, status, 401 + i * 3);
    titles[status] = title;
  }
  await ann.page.reload();
  await ann.live();
  await ann.row(titles.coding).waitFor();
  for (let toast = ann.page.getByRole("button", { name: "Dismiss" }).first(); await toast.count() > 0;) await toast.click().catch(() => {});
  await shoot(ann, "dashboard-busy");
  const bob = await (await Person.open(stack, "bob", { viewport, org, path: `/tasks/${ids.coding}` })).live();
  for (const [status, id] of Object.entries(ids)) {
    await ann.goto(`/tasks/${id}`);
    await ann.live();
    await ann.page.getByRole("heading", { name: titles[status] }).waitFor();
    if (status === "coding") await ann.page.getByText("Bob is here, too").waitFor();
    await shoot(ann, `task-${status}`);
  }
  await ann.goto("/");
  await ann.live();
  await ann.bell().click();
  await ann.page.getByRole("dialog", { name: "Notifications" }).waitFor();
  await shoot(ann, "notifications");
  await ann.page.keyboard.press("Escape");
  await ann.context.setOffline(true);
  await ann.says("offline");
  await ann.describe("Written on a train, sent when there is a network");
  await ann.page.getByText(/1 form waits/).waitFor();
  await shoot(ann, "offline");
  await ann.close();

  for (const [name, options] of [["dark", { viewport, colorScheme: "dark" }],
    ["phone", { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true }]]) {
    const person = await (await Person.open(stack, "ann", { org, ...options })).live();
    await person.row(titles.coding).waitFor();
    await shoot(person, `${name}-dashboard`);
    await person.goto(`/tasks/${ids.needs_clarification}`);
    await person.live();
    await person.page.getByRole("heading", { name: titles.needs_clarification }).waitFor();
    await shoot(person, `${name}-task`);
    await person.close();
  }
  await bob.close();

  await stack.publish("coding", ids.merged, {}, { source: "/agents/7" });
  const clients = await Promise.all(Array.from({ length: 9 }, (_, i) => stack.connect({ token: stack.token(`c${i}`, org), base: stack.gateways[i % 2].url })));
  await Promise.all(clients.map((c) => c.emitWithAck("dashboard:join", {})));
  for (let i = 0; i < 40; i++) {
    await stack.publish("note", ids.merged, { text: `Note ${i}` });
    await new Promise((done) => setTimeout(done, 400 * Math.abs(Math.sin(i / 5))));
  }
  await olga.page.getByRole("list", { name: "Dead letters" }).getByRole("listitem").first().waitFor();
  await shoot(olga, "admin");
  await olga.close();
} finally {
  await closeBrowser();
  await stack.stop();
}
