// admin.test.mjs - the operators' page (SPEC F3): what it shows is what there is, live, and a dead
// letter goes in again.
import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import { Stack, until } from "../integration/harness.mjs";
import { make, move, reaches } from "./lives.mjs";
import { closeBrowser, comes, crowd, seriousFindings } from "./people.mjs";

let stack;
before(async () => { stack = await Stack.start({ gateways: 2 }); });
after(async () => {
  await closeBrowser();
  await stack?.stop();
});

const operator = { roles: ["admin"], org: "ops" };
const tile = (p, name) => p.page.getByRole("group", { name, exact: true });

test("figures and replicas of all gateways, live", async (t) => {
  const here = crowd(t, stack);
  const olga = await here("olga", { ...operator, path: "/admin" });
  await tile(olga, "Connections").getByText("1", { exact: true }).waitFor();
  const clients = await Promise.all([1, 2, 3].map((i) => stack.connect({ token: stack.token(`c${i}`), base: stack.gateways[i % 2].url })));
  await tile(olga, "Connections").getByText("4", { exact: true }).waitFor();
  const rows = olga.page.getByRole("table").getByRole("row");
  assert.equal(await rows.count(), 3, "a head and two replicas");
  assert.equal(await rows.filter({ hasText: "ready" }).count(), 2);
  await olga.page.getByText("Redis, taskd and the store are there").waitFor();
  for (const c of clients) for (let i = 0; i < 20; i++) c.emit("task:join", { taskId: "no id" });
  await comes("messages and errors", () => tile(olga, "Errors").innerText(), (text) => /[1-9]/.test(text));
  await tile(olga, "Messages per second").getByRole("img", { name: /at most [1-9]/ }).waitFor();
  for (const c of clients) c.disconnect();
  await tile(olga, "Connections").getByText("1", { exact: true }).waitFor();
  assert.deepEqual(await seriousFindings(olga.page), []);

  await stack.gateways[1].kill9();
  stack.programs.splice(stack.programs.indexOf(stack.gateways[1]), 1);
  await comes("the dead one goes", () => rows.count(), (n) => n === 2);
});

test("a dead letter is shown with its reason, and goes in again", async (t) => {
  const here = crowd(t, stack);
  const olga = await here("olga", { ...operator, path: "/admin" });
  const id = await make(stack, "Merged too early");
  await move(stack, id, ["pr_merged"]);        // overtakes what it needs, waits, and is refused
  const letter = olga.page.getByRole("list", { name: "Dead letters" }).getByRole("listitem").filter({ hasText: id });
  await letter.getByText("pr_merged", { exact: true }).waitFor();
  await tile(olga, "Dead letters").getByText("1", { exact: true }).waitFor();
  assert.ok((await letter.innerText()).includes("/test"));
  await letter.getByText("As it came").click();
  await letter.getByText('"specversion"').waitFor();
  assert.deepEqual(await seriousFindings(olga.page), []);

  await move(stack, id, ["dispatched"]);
  await reaches(stack, id, "dispatched");
  await letter.getByRole("button", { name: "Retry pr_merged" }).click();
  await reaches(stack, id, "merged");
  await comes("the letter is gone", () => letter.count(), (n) => n === 0);
  await olga.page.getByRole("status").filter({ hasText: "pr_merged was sent in again" }).waitFor();
  await tile(olga, "Dead letters").getByText("0", { exact: true }).waitFor();
  await until("and from the stream", async () => (await stack.redisCall("XLEN", "tasks:ingest:dead")) === "0");
});

test("who is no operator sees nothing of it", async (t) => {
  const here = crowd(t, stack);
  const ann = await here("ann", { path: "/admin" });
  await ann.page.getByRole("heading", { name: "This page is for operators" }).waitFor();
  for (const path of ["/api/admin/status", "/api/admin/dead-letters", "/api/admin/dead-letters/1-0/retry"]) {
    const method = path.endsWith("retry") ? "POST" : "GET";
    assert.equal((await stack.call(method, path)).status, 403, path);
  }
});
