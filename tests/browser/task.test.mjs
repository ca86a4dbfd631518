// task.test.mjs - SPEC S2 to S4 on a task's own page, and what two people do there at once.
import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import { Stack, until } from "../integration/harness.mjs";
import { make, move, publishAll, QUESTIONS, reaches, SHA, taskOf } from "./lives.mjs";
import { closeBrowser, comes, crowd, WAIT_MS } from "./people.mjs";

let stack;
before(async () => { stack = await Stack.start({ gateways: 2 }); });
after(async () => {
  await closeBrowser();
  await stack?.stop();
});

const on = (stack, i) => ({ base: stack.gateways[i].url });

test("S3 questions are answered in place, while the button is disabled, and the task goes on", async (t) => {
  const here = crowd(t, stack);
  const id = await make(stack, "A door that asks");
  const path = `/tasks/${id}`;
  const [ann, bob] = await Promise.all([here("ann", { path }), here("bob", { path, ...on(stack, 1) })]);
  await Promise.all([ann.live(), bob.live()]);
  const { page } = ann;
  await move(stack, id, ["analyzing", "clarification_needed"]);
  const form = page.getByRole("form", { name: "Your answer is needed" });
  await form.waitFor();
  await bob.page.getByRole("form", { name: "An answer is needed" }).waitFor();
  assert.equal(await ann.toast("Needs your answer").count(), 0, "who looks at the question needs no toast");
  for (const p of [ann, bob]) assert.deepEqual(await p.page.getByRole("form").getByRole("textbox").count(), QUESTIONS.length);

  await form.getByRole("button", { name: "Send answers" }).click();
  await form.getByRole("alert").filter({ hasText: "Every question needs an answer" }).waitFor();
  await form.getByRole("textbox", { name: QUESTIONS[0] }).fill("Sky blue");
  await form.getByRole("textbox", { name: QUESTIONS[1] }).fill("Both");

  // The request is held on its way, so that what is shown meanwhile can be looked at.
  let letGo, isHeld = new Promise((done) => {
    void page.route("**/clarify", async (route) => {
      done();
      await new Promise((go) => { letGo = go; });
      await route.continue();
    });
  });
  await form.getByRole("button", { name: "Send answers" }).click();
  await isHeld;
  const sending = form.getByRole("button", { name: "Sending…" });
  await sending.waitFor();
  assert.ok(await sending.isDisabled());
  assert.ok(await form.getByRole("textbox", { name: QUESTIONS[0] }).isDisabled());
  letGo();
  for (const p of [ann, bob]) await p.page.getByRole("status").filter({ hasText: "Re-analyzing…" }).waitFor();
  await bob.event("Answered").getByText("Sky blue").waitFor();

  await move(stack, id, ["clarification_needed"]);
  const again = page.getByRole("form", { name: "Your answer is needed" });
  await again.waitFor();
  assert.ok(await again.getByRole("button", { name: "Send answers" }).isEnabled(), "enabled again");
  assert.equal(await again.getByRole("textbox", { name: QUESTIONS[0] }).inputValue(), "");
  await page.unroute("**/clarify");
  for (const q of QUESTIONS) await again.getByRole("textbox", { name: q }).fill("Yes");
  await again.getByRole("button", { name: "Send answers" }).click();
  await reaches(stack, id, "analyzing");
  await move(stack, id, ["dispatched"]);
  for (const p of [ann, bob]) {
    await p.badge(p.page.getByRole("main"), "Dispatched").first().waitFor();
    const issue = p.page.getByRole("complementary", { name: "Facts" }).getByRole("link", { name: "Issue #42 (opens in a new tab)" });
    assert.equal(await issue.getAttribute("href"), "https://github.com/acme/shop/issues/42");
    assert.equal(await p.page.getByText("Re-analyzing…").count(), 0);
  }
});

test("S3 answers that the server refuses come back with their text", async (t) => {
  const here = crowd(t, stack);
  const id = await make(stack, "A refused answer");
  await move(stack, id, ["analyzing", "clarification_needed"]);
  const ann = await (await here("ann", { path: `/tasks/${id}` })).live();
  const form = ann.page.getByRole("form", { name: "Your answer is needed" });
  for (const q of QUESTIONS) await form.getByRole("textbox", { name: q }).fill("x");
  // Somebody else answers first, and this page does not hear of it before it sends.
  await ann.page.route("**/clarify", async (route) => {
    await stack.call("POST", `/api/tasks/${id}/clarify`, { body: { answers: ["first", "first"] }, token: stack.token("bob") });
    await route.continue();
  });
  await form.getByRole("button", { name: "Send answers" }).click();
  await ann.page.getByRole("status").filter({ hasText: "Re-analyzing…" }).waitFor();
  await ann.event("Answered").getByText("first").first().waitFor();
  assert.equal((await taskOf(stack, id)).events.filter((e) => e.eventType === "clarification_submitted").length, 1);
});

test("S4 every event appears at once with its type, time and payload, the newest at the bottom", async (t) => {
  const here = crowd(t, stack);
  const id = await make(stack, "A whole story");
  const ann = await (await here("bob", { path: `/tasks/${id}` })).live();
  const inputs = ["analyzing", "llm_response", "clarification_needed"];
  await move(stack, id, inputs);
  await ann.event("Clarification needed").waitFor();
  await stack.call("POST", `/api/tasks/${id}/clarify`, { body: { answers: ["Sky", "Yes"] } });
  await reaches(stack, id, "analyzing");
  const rest = ["dispatched", "coding", "pr_opened", "note", "pr_merged"];
  await move(stack, id, rest);
  await ann.event("PR merged").waitFor();
  assert.deepEqual(await ann.events(), ["created", ...inputs, "clarification_submitted", ...rest]);
  for (const [event, payload] of [["Understood", "Two files, a small change."], ["Clarification needed", QUESTIONS[0]], ["Answered", "Sky"],
    ["Dispatched", "Issue #42"], ["Dispatched", "task/42"], ["PR opened", "PR #43"], ["PR merged", SHA.slice(0, 10)], ["Note", "Half of it"]]) {
    await ann.event(event).getByText(payload).first().waitFor();
  }
  const time = ann.event("PR merged").getByRole("time");
  assert.match(await time.innerText(), /just now|seconds? ago/);
  assert.match(await time.getAttribute("title"), /2\d{3} at \d{2}:\d{2}:\d{2}/);
  await comes("it ages", () => time.innerText(), (text) => /^[2-9]\d* seconds ago/.test(text));
  const facts = ann.page.getByRole("complementary", { name: "Facts" });
  await facts.getByRole("link", { name: /^Pull request merged #43/ }).waitFor();
  await facts.getByText(SHA.slice(0, 10)).waitFor();
});

test("S4 it scrolls to the latest, unless the reader has scrolled up: then a pill tells", async (t) => {
  const here = crowd(t, stack);
  const id = await make(stack, "A long story");
  await publishAll(stack, Array.from({ length: 40 }, (_, i) => stack.event("note", id, { text: `Note ${i}` })));
  const ann = await (await here("ann", { path: `/tasks/${id}` })).live();
  const log = ann.page.getByRole("log");
  const gap = () => log.evaluate((e) => e.scrollHeight - e.scrollTop - e.clientHeight);
  await ann.event("Note 39").waitFor();
  await comes("at its end", gap, (px) => px < 2);
  await stack.publish("note", id, { text: "Followed" });
  await ann.event("Followed").waitFor();
  await comes("it follows", gap, (px) => px < 2);

  await log.evaluate((e) => e.scrollTo({ top: 0 }));
  await comes("scrolled up", () => log.evaluate((e) => e.scrollTop), (top) => top === 0);
  await stack.publish("note", id, { text: "Unseen one" });
  await stack.publish("note", id, { text: "Unseen two" });
  const pill = ann.page.getByRole("button", { name: "2 new events" });
  await pill.waitFor();
  assert.equal(await log.evaluate((e) => e.scrollTop), 0, "the reader is left where they are");
  await pill.click();
  await comes("at its end again", gap, (px) => px < 2);
  await comes("the pill goes", () => pill.count(), (n) => n === 0);
});

test("S4 what came while one was away is marked on return", async (t) => {
  const here = crowd(t, stack);
  const id = await make(stack, "Looked at twice");
  const ann = await (await here("ann", { path: `/tasks/${id}` })).live();
  await ann.event("Created").waitFor();
  await ann.page.getByRole("link", { name: "All tasks" }).click();
  await ann.row("Looked at twice").waitFor();
  await move(stack, id, ["analyzing", "llm_response"]);
  await ann.badge(ann.row("Looked at twice"), "Analyzing").waitFor();
  await ann.row("Looked at twice").getByRole("link").first().click();
  await ann.page.getByText("2 events while you were away").waitFor();
});

test("S4 the events of a timeline longer than its snapshot can be read back to the first", async (t) => {
  const here = crowd(t, stack);
  const id = await make(stack, "A very long story");
  await publishAll(stack, Array.from({ length: 230 }, (_, i) => stack.event("note", id, { text: `Note ${i}` })));
  await until("all are in the timeline", async () => (await taskOf(stack, id)).seq === 231, { ms: WAIT_MS });
  const ann = await (await here("ann", { path: `/tasks/${id}` })).live();
  await comes("the newest 200", () => ann.events(), (all) => all.length === 200);
  const earlier = ann.page.getByRole("button", { name: /^Earlier events/ });
  await earlier.click();
  await comes("all of them", () => ann.events(), (all) => all.length === 231 && all[0] === "created");
  await comes("there are no earlier ones", () => earlier.count(), (n) => n === 0);
});

test("two people at one task see each other, and an edit of both is a conflict that they decide", async (t) => {
  const here = crowd(t, stack);
  const id = await make(stack, "Edited by two");
  const path = `/tasks/${id}`;
  const [ann, bob] = await Promise.all([here("ann", { path }), here("bob", { path, ...on(stack, 1) })]);
  await Promise.all([ann.live(), bob.live()]);
  await ann.page.getByText("Bob is here, too").waitFor();
  await bob.page.getByText("Ann is here, too").waitFor();

  await ann.page.getByRole("button", { name: "Edit title" }).click();
  const field = ann.page.getByRole("textbox", { name: "Title" });
  await field.fill("Of Ann");
  await bob.page.getByRole("button", { name: "Edit title" }).click();
  await bob.page.getByRole("textbox", { name: "Title" }).fill("Of Bob");
  await bob.page.keyboard.press("Enter");
  await bob.page.getByRole("heading", { name: "Of Bob" }).waitFor();
  const conflict = ann.page.getByRole("alert").filter({ hasText: "Somebody changed the title" });
  await conflict.getByText("Of Bob").waitFor();
  assert.equal(await field.inputValue(), "Of Ann");
  await conflict.getByRole("button", { name: "Keep mine" }).click();
  await ann.page.getByRole("button", { name: "Save" }).click();
  await bob.page.getByRole("heading", { name: "Of Ann" }).waitFor();

  await bob.close();
  await comes("Bob has left", () => ann.page.getByText("Bob is here, too").count(), (n) => n === 0);
});

test("a task that turns private leaves other people's pages at once", async (t) => {
  const here = crowd(t, stack);
  const id = await make(stack, "Soon a secret");
  const [ann, bob, bobs] = await Promise.all([here("ann", { path: `/tasks/${id}` }), here("bob", { path: `/tasks/${id}` }), here("bob", on(stack, 1))]);
  await Promise.all([ann.live(), bob.live(), bobs.live()]);
  await bobs.row("Soon a secret").waitFor();
  await ann.page.getByRole("complementary", { name: "Facts" }).getByRole("button", { name: "Make private" }).click();
  await bob.page.getByRole("heading", { name: "This task is private now" }).waitFor();
  await comes("gone from the dashboard", () => bobs.row("Soon a secret").count(), (n) => n === 0);
  await move(stack, id, ["analyzing"]);
  await ann.badge(ann.page.getByRole("main"), "Analyzing").first().waitFor();
  await bob.page.reload();
  await bob.page.getByRole("heading", { name: "There is no such task" }).waitFor();
  assert.equal(await bob.page.getByText("Soon a secret").count(), 0);
});
