// screenshots.mjs - pictures of the page for people (make screenshots): the dashboard empty and
// busy, a task in each status, offline, on a phone, dark, and the operators' page, each from
// real services.
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { root, sleep, Stack } from "../integration/harness.mjs";
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

const ROUND_MS = 18_000, EACH_ROUND = 2;

/** Tasks that live as tasks do, a step at a time, so that their ages are what they say. Some three
 *  minutes, all of them true. Gives back the ids of those that are shown, by status. */
async function live(stack) {
  const waiting = [
    ...TITLES.map(([title, status], i) => ({ title, text: title, status, sub: PEOPLE[i % PEOPLE.length], n: 311 + i * 3 })),
    ...SHOWN.map(([title, status], i) => ({ title, text: `${title}\n\n${TEXT}`, status, sub: "ann", n: 401 + i * 3, isShown: true })),
  ].map((task) => ({ ...task, todo: [...STATUSES[task.status]] })).sort((a, b) => b.todo.length - a.todo.length);   // who goes far begins early
  const made = [];
  while (waiting.length > 0 || made.some((task) => task.todo.length > 0)) {
    for (const task of made.filter(({ todo }) => todo.length > 0)) {
      const input = task.todo.shift(), [source, data] = SAYS[input](task.n, task.title);
      await stack.publish(input, task.id, data, { source });
    }
    for (const task of waiting.splice(0, EACH_ROUND)) {
      const token = stack.token(task.sub, org, { name: task.sub[0].toUpperCase() + task.sub.slice(1) });
      made.push({ ...task, token, id: await stack.createTask({ description: task.text, repo: "acme/shop" }, { token }) });
    }
    await sleep(ROUND_MS * (0.6 + 0.8 * Math.random()));
  }
  for (const { id, status, token } of made) await reaches(stack, id, status, { token });
  return Object.fromEntries(made.filter((task) => task.isShown).map((task) => [task.status, task.id]));
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
  const eva = await (await Person.open(stack, "eva", { viewport, org: "anew" })).live();
  await eva.page.getByText("No tasks yet").waitFor();
  await shoot(eva, "dashboard-empty");
  await eva.close();

  // Nobody looks on meanwhile: what ann is told of hangs from her bell, and lies over nothing.
  const ids = await live(stack), titles = Object.fromEntries(SHOWN.map(([title, status]) => [status, title]));
  const ann = await (await Person.open(stack, "ann", { viewport, org })).live();
  await ann.row(titles.coding).waitFor();
  await shoot(ann, "dashboard-busy");
  await ann.bell().click();
  await ann.page.getByRole("dialog", { name: "Notifications" }).waitFor();
  await shoot(ann, "notifications");
  await ann.page.keyboard.press("Escape");
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
    await sleep(400 * Math.abs(Math.sin(i / 5)));
  }
  await olga.page.getByRole("list", { name: "Dead letters" }).getByRole("listitem").first().waitFor();
  await shoot(olga, "admin");
  await olga.close();
} finally {
  await closeBrowser();
  await stack.stop();
}
