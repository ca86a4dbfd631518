// screenshots.mjs - pictures of the page for people (make screenshots): the dashboard empty and
// busy, a task in each status, offline, on a phone, dark, and the operators' page, each from
// real services.
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { root, Stack } from "../integration/harness.mjs";
import { GITHUB_SECRET, move, reaches } from "./lives.mjs";
import { closeBrowser, Person } from "./people.mjs";

const out = path.join(root, "build/screenshots");
const org = "acme";

const STATUSES = {
  received: [], analyzing: ["analyzing", "llm_response"], needs_clarification: ["analyzing", "llm_response", "clarification_needed"],
  dispatched: ["analyzing", "llm_response", "dispatched"], coding: ["analyzing", "llm_response", "dispatched", "coding"],
  pr_open: ["analyzing", "llm_response", "dispatched", "coding", "pr_opened"],
  merged: ["analyzing", "llm_response", "dispatched", "coding", "pr_opened", "pr_merged"],
  failed: ["analyzing", "llm_response", "dispatched", "coding", "failed"],
};

const TITLES = [
  ["Show the delivery date in the basket", "merged"], ["Retry payments that time out", "merged"], ["Translate the sign-up page into Polish", "merged"],
  ["Remove the old coupon table", "failed"], ["Speed up the search for long orders", "pr_open"], ["Let people change their e-mail address", "coding"],
  ["Round prices the same way everywhere", "needs_clarification"], ["Log in with a passkey", "dispatched"], ["Warn before a basket expires", "analyzing"],
  ["Export invoices as PDF/A", "coding"], ["Use the new address service", "pr_open"], ["Explain why a voucher is refused", "received"],
];
const PEOPLE = ["ann", "bob", "mia", "tom"];

const TEXT = `Customers ask when their parcel comes. Show the date where they decide.

- take it from the carrier's answer, not from our table
- say "from" where there are several parcels`;

async function makeTask(stack, sub, description, status, n) {
  const token = stack.token(sub, org, { name: sub[0].toUpperCase() + sub.slice(1) });
  const id = await stack.createTask({ description, repo: "acme/shop" }, { token });
  await move(stack, id, STATUSES[status], n);
  await reaches(stack, id, status, { token });
  return id;
}

const stack = await Stack.start({ gateways: 2, taskdEnv: { GITHUB_WEBHOOK_SECRET: GITHUB_SECRET } });
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
  const ann = await (await Person.open(stack, "ann", { viewport, org })).live();
  await ann.page.getByText("No tasks yet").waitFor();
  await shoot(ann, "dashboard-empty");

  for (const [i, [title, status]] of TITLES.entries()) await makeTask(stack, PEOPLE[i % PEOPLE.length], title, status, 311 + i * 3);
  const ids = {};
  for (const [i, status] of Object.keys(STATUSES).entries()) ids[status] = await makeTask(stack, "ann", `Show the delivery date in the basket\n\n${TEXT}`, status, 401 + i * 3);
  await ann.page.reload();
  await ann.live();
  await ann.row("Show the delivery date").first().waitFor();
  await shoot(ann, "dashboard-busy");
  const bob = await (await Person.open(stack, "bob", { viewport, org, path: `/tasks/${ids.coding}` })).live();
  for (const [status, id] of Object.entries(ids)) {
    await ann.goto(`/tasks/${id}`);
    await ann.live();
    await ann.page.getByRole("heading", { name: "Show the delivery date" }).waitFor();
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
    await person.row("Show the delivery date").first().waitFor();
    await shoot(person, `${name}-dashboard`);
    await person.goto(`/tasks/${ids.needs_clarification}`);
    await person.live();
    await person.page.getByRole("heading", { name: "Show the delivery date" }).waitFor();
    await shoot(person, `${name}-task`);
    await person.close();
  }
  await bob.close();

  await stack.publish("coding", ids.merged, {});
  const olga = await Person.open(stack, "olga", { viewport, org: "ops", roles: ["admin"], path: "/admin" });
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
