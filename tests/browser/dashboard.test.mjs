// dashboard.test.mjs - SPEC S1, S2 and S5 as people see them: dashboards in two browsers, on two
// gateways.
import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import { Stack } from "../integration/harness.mjs";
import { GITHUB_SECRET, github, make, move, reaches, SHA } from "./lives.mjs";
import { closeBrowser, comes, crowd, tone } from "./people.mjs";

let stack;
before(async () => { stack = await Stack.start({ gateways: 2, taskdEnv: { GITHUB_WEBHOOK_SECRET: GITHUB_SECRET } }); });
after(async () => {
  await closeBrowser();
  await stack?.stop();
});

/** Two people in two browsers, on two gateways, both live. */
async function two(t, options = {}) {
  const here = crowd(t, stack);
  const [ann, bob] = await Promise.all([here("ann", options), here("bob", { ...options, base: stack.gateways[1].url })]);
  await Promise.all([ann.live(), bob.live()]);
  return [ann, bob];
}

const STEPS = [
  ["analyzing", "Analyzing", "yellow"], ["clarification_needed", "Needs clarification", "yellow"], [null, "Analyzing", "yellow"],
  ["dispatched", "Dispatched", "green"], ["coding", "Coding", "teal"], ["pr_opened", "PR open", "none"], ["pr_merged", "Merged", "blue"],
];

test("S1 a status change reaches every dashboard, in its colour, and all viewers see the same", async (t) => {
  const [ann, bob] = await two(t);
  const id = await make(stack, "Change of colours", { sub: "cid" });
  for (const p of [ann, bob]) assert.equal(await tone(p.badge(p.row("Change of colours"), "Received").locator("..")), "yellow");
  for (const [input, words, colour] of STEPS) {
    const begun = Date.now();
    if (input) await move(stack, id, [input]);
    else await stack.call("POST", `/api/tasks/${id}/clarify`, { body: { answers: ["Sky", "Yes"] }, token: stack.token("cid") });
    const section = words === "Merged" ? "Completed" : "Active";
    await Promise.all([ann, bob].map((p) => p.badge(p.row("Change of colours", section), words).waitFor()));
    t.diagnostic(`${words}: on both dashboards after ${Date.now() - begun} ms, publishing included`);
    for (const p of [ann, bob]) {
      const badge = p.badge(p.row("Change of colours", section), words).locator("..");
      await comes(`${words} in its colour`, () => tone(badge), (c) => c === colour);
    }
  }
  const failed = await make(stack, "It fails");
  await move(stack, failed, ["failed"]);
  for (const p of [ann, bob]) {
    const badge = p.badge(p.row("It fails", "Failed"), "Failed").locator("..");
    await comes("failed in red", () => tone(badge), (c) => c === "red");
  }
});

test("S1 the badge changes by a short animation, none for who wants none", async (t) => {
  const here = crowd(t, stack);
  const id = await make(stack, "Fade softly");
  const [ann, calm] = await Promise.all([here("ann", { reducedMotion: "no-preference" }), here("bob")]);
  await Promise.all([ann.live(), calm.live()]);
  const badge = ann.badge(ann.row("Fade softly"), "Received").locator("..");
  // The browser itself says what it animates: of this very element, which lives through the change.
  await badge.evaluate((e) => {
    window.faded = [];
    e.addEventListener("transitionrun", (event) => window.faded.push(event.propertyName));
  });
  await move(stack, id, ["dispatched"]);
  await ann.badge(ann.row("Fade softly"), "Dispatched").waitFor();
  await comes("the colour fades", () => ann.page.evaluate(() => window.faded), (f) => f.includes("background-color"));
  const longest = (p, words) => p.badge(p.row("Fade softly"), words).locator("..")
    .evaluate((e) => Math.max(...getComputedStyle(e).transitionDuration.split(",").map(parseFloat)));
  assert.ok(await longest(ann, "Dispatched") <= 0.3);
  await calm.badge(calm.row("Fade softly"), "Dispatched").waitFor();
  assert.equal(await longest(calm, "Dispatched"), 0);
  // What comes, and what moves for ever: for her, and for him not at all.
  const moving = (p) => p.page.evaluate(() => document.getAnimations().map((a) => a.animationName ?? a.transitionProperty));
  const fresh = await make(stack, "Slide in", { sub: "cid" });
  await move(stack, fresh, ["analyzing"]);
  for (const p of [ann, calm]) await p.badge(p.row("Slide in"), "Analyzing").waitFor();
  await comes("it pulses", () => moving(ann), (all) => all.includes("pulse"));
  assert.deepEqual(await moving(calm), []);
});

test("S1 a list sorted by time re-orders by itself", async (t) => {
  const [first, second] = [await make(stack, "Sorted first"), await make(stack, "Sorted second")];
  const [ann, bob] = await two(t, { path: "/?sort=updated" });
  const order = (p) => comes("order", () => p.titles(), (all) => all.indexOf("Sorted second") >= 0 && all.indexOf("Sorted second") < all.indexOf("Sorted first"));
  await Promise.all([order(ann), order(bob)]);
  await move(stack, first, ["analyzing"]);
  for (const p of [ann, bob]) await comes("the changed one comes first", () => p.titles(), (all) => all[0] === "Sorted first");
  await move(stack, second, ["analyzing"]);
  for (const p of [ann, bob]) await comes("then the other", () => p.titles(), (all) => all[0] === "Sorted second");
});

test("S2 a pull request: draft, open, closed, open again, merged, with its links and its commit", async (t) => {
  const [ann, bob] = await two(t);
  const id = await make(stack, "A pull request lives");
  await move(stack, id, ["dispatched"], 100);
  const pull = (p, state, section) => p.row("A pull request lives", section).getByRole("link", { name: `Pull request ${state} #101 (opens in a new tab)` });
  const see = async (state, section) => {
    const begun = Date.now();
    await Promise.all([ann, bob].map((p) => pull(p, state, section).waitFor()));
    t.diagnostic(`${state}: on both dashboards ${Date.now() - begun} ms after GitHub had its answer`);
  };
  await reaches(stack, id, "dispatched");
  await github(stack, "opened", 100, { draft: true });
  await see("draft");
  const link = pull(ann, "draft");
  assert.equal(await link.getAttribute("href"), "https://github.com/acme/shop/pull/101");
  assert.equal(await link.getAttribute("target"), "_blank");
  assert.match(await link.getAttribute("rel"), /noopener/);
  await ann.context.route("https://github.com/**", (route) => route.fulfill({ body: "GitHub" }));
  const [tab] = await Promise.all([ann.context.waitForEvent("page"), link.click()]);
  await tab.waitForURL("https://github.com/acme/shop/pull/101");
  await tab.close();
  await ann.page.mouse.move(600, 10);          // what lies under the pointer does not move

  await github(stack, "ready_for_review", 100);
  await see("open");
  const toast = ann.toast("PR ready for review");
  await toast.waitFor();
  assert.equal(await toast.getByRole("link", { name: "Open pull request" }).getAttribute("href"), "https://github.com/acme/shop/pull/101");
  assert.equal(await bob.toast("PR ready for review").count(), 0);

  await github(stack, "closed", 100, { state: "closed" });
  await see("closed", "Failed");
  await github(stack, "reopened", 100);
  await see("open");
  await github(stack, "closed", 100, { state: "closed", merged: true, merged_at: "2026-11-21T02:16:00Z", merge_commit_sha: SHA });
  await see("merged", "Completed");
  assert.equal(await ann.row("A pull request lives").count(), 0, "a merged task leaves the active list");
  await bob.row("A pull request lives", "Completed").getByRole("link", { name: "A pull request lives" }).click();
  await bob.page.getByRole("complementary", { name: "Facts" }).getByText(SHA.slice(0, 10)).waitFor();
  await bob.page.getByRole("complementary", { name: "Facts" }).getByRole("link", { name: /^Pull request merged #101/ }).waitFor();
});

test("S5 other people's new tasks appear by themselves, highlighted, with who created them", async (t) => {
  const [ann, bob] = await two(t, { reducedMotion: "no-preference" });
  await bob.describe("Bob wants a bell");
  for (const p of [ann, bob]) {
    const row = p.row("Bob wants a bell");
    await row.getByText("created by @Bob").waitFor();
    await row.getByText(/(just now|\d+ seconds? ago)/).first().waitFor();
  }
  await make(stack, "Cid wants a bell", { sub: "cid" });
  const row = ann.row("Cid wants a bell").getByRole("article");
  await row.waitFor();
  assert.equal(await row.getAttribute("data-new"), "true");
  const animations = await row.evaluate((e) => e.getAnimations().map((a) => a.animationName));
  t.diagnostic(`its animations: ${animations.join(", ")}`);
  await bob.row("Bob wants a bell").getByRole("link").click();   // out of the form, in one click
  await bob.page.getByRole("heading", { name: "Bob wants a bell" }).waitFor();
  await bob.page.goBack();
  await make(stack, "Only Bob's own", { sub: "bob", isPrivate: true });
  await bob.row("Only Bob's own").waitFor();
  await make(stack, "After Bob's own", { sub: "bob" });
  await ann.row("After Bob's own").waitFor();
  assert.equal(await ann.row("Only Bob's own").count(), 0, "a private task is its creator's alone");
});

test("S5 filters apply to what comes live: mine, status, creator, active and completed, words", async (t) => {
  const here = crowd(t, stack);
  const ann = await (await here("ann", { path: "/" })).live();
  const page = ann.page;
  const mark = await make(stack, "Filter: of Bob", { sub: "bob" });
  await ann.row("Filter: of Bob").waitFor();
  await page.getByRole("button", { name: "My tasks" }).click();
  await page.waitForURL(/mine=1/);
  await comes("Bob's is gone", () => ann.row("Filter: of Bob").count(), (n) => n === 0);
  await make(stack, "Filter: another of Bob", { sub: "bob" });
  await make(stack, "Filter: of Ann");
  await ann.row("Filter: of Ann").waitFor();
  assert.equal(await ann.row("Filter: another of Bob").count(), 0);

  await page.getByRole("button", { name: "All tasks" }).click();
  await page.getByRole("combobox", { name: "Creator" }).selectOption({ label: "@Bob" });
  await ann.row("Filter: another of Bob").waitFor();
  assert.equal(await ann.row("Filter: of Ann").count(), 0);
  await page.getByRole("combobox", { name: "Status" }).selectOption({ label: "Coding" });
  await comes("none of Bob's is being coded", () => page.getByText("No task fits these filters").count(), (n) => n === 1);
  await move(stack, mark, ["dispatched", "coding"]);
  await ann.row("Filter: of Bob").waitFor();
  assert.deepEqual(Object.fromEntries(new URL(page.url()).searchParams), { creator: "bob", status: "coding" });

  await page.getByRole("button", { name: "Clear" }).click();
  await page.getByRole("combobox", { name: "Show" }).selectOption({ label: "Completed" });
  await comes("only the completed", () => ann.list("Active").count(), (n) => n === 0);
  await move(stack, mark, ["pr_merged"]);
  await ann.row("Filter: of Bob", "Completed").waitFor();

  await ann.goto("/?q=filter");
  await ann.row("Filter: of Ann").waitFor();
  await make(stack, "Filter: fresh");
  await make(stack, "Something else");
  await ann.row("Filter: fresh").waitFor();
  assert.equal(await ann.row("Something else").count(), 0);
  await page.goBack();
  assert.match(page.url(), /show=completed/);
});

test("S5 nothing moves under the pointer, and a bar tells of what waits", async (t) => {
  const here = crowd(t, stack);
  await make(stack, "Under the pointer");
  const ann = await (await here("ann")).live();
  await ann.row("Under the pointer").hover();
  const before = await ann.titles();
  await make(stack, "Waits one", { sub: "bob" });
  await make(stack, "Waits two", { sub: "bob" });
  const bar = ann.page.getByRole("button", { name: /^2 new/ });
  await ann.page.mouse.move(600, 400);
  await bar.waitFor();
  assert.deepEqual((await ann.titles()).slice(0, before.length), before);
  await bar.click();
  await ann.row("Waits two").waitFor();
});

test("S5 order and paging hold while updates arrive", async (t) => {
  const here = crowd(t, stack);
  const token = stack.token("pat", "paged", { name: "Pat" });
  const ids = [];
  for (let i = 0; i < 120; i++) ids.push(await stack.createTask({ description: `Paged ${String(i).padStart(3, "0")}` }, { token }));
  const pat = await (await here("pat", { org: "paged", path: "/?show=active" })).live();
  await pat.row("Paged 119").waitFor();
  const counts = () => pat.page.getByText("120 active").waitFor();
  await counts();
  const updates = (async () => { for (const id of ids) await stack.publish("note", id, { text: "Still here" }); })();
  const seen = new Map();
  // Each look begins where the last one ended, however long the browser takes in between.
  await comes("the last of all pages", async () => {
    for (const [at, title] of await pat.list("Active").getByRole("listitem").evaluateAll((all) => {
      const found = all.map((e) => [Number(e.getAttribute("aria-posinset")), e.querySelector("a")?.textContent, e]).sort((x, y) => x[0] - y[0]);
      found.at(-1)?.[2].scrollIntoView({ block: "start" });
      return found.map(([at, title]) => [at, title]);
    })) seen.set(at, title);
    return seen.size;
  }, (n) => n >= 120);
  await updates;
  const titles = [...seen].sort((a, b) => a[0] - b[0]).map(([, title]) => title);
  assert.deepEqual(titles, Array.from({ length: 120 }, (_, i) => `Paged ${String(119 - i).padStart(3, "0")}`));
  await counts();
});
