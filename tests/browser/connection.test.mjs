// connection.test.mjs - SPEC S6 and F1: networks that go, come back, delay and lose; websockets
// refused; gateways killed under an open page; live updates switched off.
import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import { Stack, until } from "../integration/harness.mjs";
import { Line } from "./line.mjs";
import { make, move, QUESTIONS, reaches, taskOf } from "./lives.mjs";
import { closeBrowser, comes, crowd, WAIT_MS } from "./people.mjs";

let stack;
before(async () => { stack = await Stack.start({ gateways: 2 }); });
after(async () => {
  await closeBrowser();
  await stack?.stop();
});

const all = async (org) => (await stack.call("GET", "/api/tasks?limit=100", { token: stack.token("ann", org) })).body.tasks;

/** The page holds what the server holds: the same tasks in the same states, and the same counts. */
async function agrees(person, org) {
  const words = { received: "Received", analyzing: "Analyzing", dispatched: "Dispatched", coding: "Coding", pr_open: "PR open", merged: "Merged", failed: "Failed",
    needs_clarification: "Needs" };
  await until("the page is what the server holds", async () => {
    const { body } = await stack.call("GET", "/api/tasks?limit=100", { token: stack.token(person.sub, org) });
    const counts = await person.page.getByText(`${body.activeCount} active · ${body.completedCount} completed · ${body.failedCount} failed`).count();
    if (counts !== 1) return false;
    const shown = await person.page.getByRole("article").allInnerTexts();
    return shown.length === body.tasks.length && body.tasks.every((t) => shown.filter((s) => s.includes(words[t.status]) && s.includes(t.title)).length === 1);
  }, { ms: WAIT_MS });
}

/** Who begins a connection, and how, by what the browser says of its websockets and requests. */
function transports(person) {
  const seen = { websocket: 0, polling: 0 };
  person.page.on("websocket", () => { seen.websocket++; });
  person.page.on("request", (r) => { if (/transport=polling/.test(r.url())) seen.polling++; });
  return seen;
}

test("S6 offline: the indicator and the banner say so; back online the page is what the server holds", async (t) => {
  const here = crowd(t, stack), org = "s6";
  const token = stack.token("ann", org, { name: "Ann" });
  const ids = [];
  for (const title of ["One", "Two", "Three"]) ids.push(await stack.createTask({ description: `Before: ${title}` }, { token }));
  const ann = await (await here("ann", { org })).live();
  await ann.row("Before: Three").waitFor();
  await ann.context.setOffline(true);
  await ann.says("offline");
  const banner = ann.page.getByRole("status").filter({ hasText: "You're offline. Reconnecting…" });
  await banner.waitFor();
  await banner.getByText(/Shown as of \d/).waitFor();
  await move(stack, ids[0], ["dispatched", "coding"]);
  await move(stack, ids[1], ["failed"]);
  await stack.createTask({ description: "While away" }, { token });
  await ann.context.setOffline(false);
  await ann.live();
  await comes("the banner goes", () => banner.count(), (n) => n === 0);
  await agrees(ann, org);
});

test("S6 forms written offline survive a reload, and are sent once", async (t) => {
  const here = crowd(t, stack), org = "queued";
  const token = stack.token("ann", org, { name: "Ann" });
  const asked = await stack.createTask({ description: "It asks" }, { token });
  await move(stack, asked, ["analyzing", "clarification_needed"]);
  const line = await Line.open(stack.url);
  t.after(() => line.close());
  const ann = await (await here("ann", { org, base: line.url })).live();
  await ann.row("It asks").getByRole("link").first().click();
  await ann.page.getByRole("form", { name: "Your answer is needed" }).waitFor();
  await ann.page.getByRole("link", { name: "All tasks" }).click();

  await ann.context.setOffline(true);
  await ann.says("offline");
  await ann.describe("Written in a tunnel");
  const waiting = () => ann.page.getByRole("list", { name: "Being created" }).getByRole("listitem").filter({ hasText: "Written in a tunnel" });
  await waiting().getByText(/goes out when there is a network/).waitFor();
  await ann.page.getByRole("status").filter({ hasText: "1 form waits to be sent" }).waitFor();
  await ann.row("It asks").getByRole("link").first().click();
  const form = ann.page.getByRole("form", { name: "Your answer is needed" });
  for (const q of QUESTIONS) await form.getByRole("textbox", { name: q }).fill("From the tunnel");
  await form.getByRole("button", { name: "Send answers" }).click();
  await form.getByRole("status").filter({ hasText: "it goes out by itself" }).waitFor();
  assert.ok(await form.getByRole("button", { name: "Waiting to be sent" }).isDisabled());

  // The page is loaded anew while the server cannot be written to; then each answer is lost on
  // its way back, once: what is repeated counts once.
  let isOpen = false;
  const lost = new Map();
  await ann.context.route("**/api/tasks**", async (route) => {
    const key = route.request().headers()["idempotency-key"];
    if (!key || lost.has(key)) return route.continue();
    if (!isOpen) return route.abort();
    const answer = await route.fetch();
    lost.set(key, answer.status());
    return route.abort("connectionreset");
  });
  await ann.context.setOffline(false);
  await ann.goto("/");
  await waiting().waitFor();
  assert.equal((await all(org)).length, 1);
  isOpen = true;
  await ann.context.setOffline(true);          // a network that comes back is not waited for
  await ann.context.setOffline(false);
  await ann.row("Written in a tunnel").waitFor();
  await reaches(stack, asked, "analyzing", { token });
  await comes("nothing waits any more", () => waiting().count(), (n) => n === 0);
  assert.deepEqual([...lost.values()], [202, 202], "both were taken by the server, and repeated");
  assert.equal((await all(org)).filter((x) => x.title === "Written in a tunnel").length, 1);
  assert.equal((await taskOf(stack, asked, { token })).events.filter((e) => e.eventType === "clarification_submitted").length, 1);
  await agrees(ann, org);
});

test("S6 without a network the page opens all the same: with what was seen last, and the forms that wait", async (t) => {
  const here = crowd(t, stack), org = "tunnel";
  const id = await stack.createTask({ description: "Seen before" }, { token: stack.token("ann", org, { name: "Ann" }) });
  const line = await Line.open(stack.url);
  t.after(() => line.close());
  const ann = await (await here("ann", { org, base: line.url, serviceWorkers: "allow" })).live();
  await ann.row("Seen before").getByRole("link").first().click();
  await ann.event("Created").waitFor();
  await ann.page.getByRole("link", { name: "All tasks" }).click();
  await ann.page.evaluate(async () => { await navigator.serviceWorker.ready; });   // when the page has come to rest
  await until("what was seen is kept", async () => (await ann.kept()).includes("Seen before"), { ms: WAIT_MS });
  const files = await ann.page.evaluate(async () => (await (await caches.open("taskwire-page")).keys()).map((r) => new URL(r.url).pathname));
  assert.ok(files.includes("/") && files.includes("/host.js"));
  assert.deepEqual(files.filter((p) => !/^\/(assets\/[^/]+|host\.js|icon\.svg|taskwire\.webmanifest)?$/.test(p)), [], "the page's own files alone");

  line.cut();
  await ann.says("reconnecting");
  await ann.describe("Written in a tunnel");
  const waiting = () => ann.page.getByRole("list", { name: "Being created" }).getByRole("listitem").filter({ hasText: "Written in a tunnel" });
  await waiting().waitFor();
  await ann.page.reload();
  await ann.row("Seen before").waitFor();
  await waiting().waitFor();
  await ann.page.getByRole("status").filter({ hasText: "Shown as of" }).waitFor();
  await ann.goto(`/tasks/${id}`);
  await ann.page.getByRole("heading", { name: "Seen before" }).waitFor();
  await ann.goto("/");
  line.mend();
  await ann.live();
  await ann.row("Written in a tunnel").waitFor();
  await comes("nothing waits any more", () => waiting().count(), (n) => n === 0);
  assert.equal((await all(org)).length, 2);
});

test("S6 two tabs send what was written offline once between them", async (t) => {
  const here = crowd(t, stack), org = "tabs";
  const ann = await (await here("ann", { org })).live();
  const second = await ann.newPage();
  await second.goto(`${stack.url}/`);
  await ann.context.setOffline(true);
  await ann.says("offline");
  await ann.describe("Of two tabs");
  await second.getByText("Of two tabs").waitFor();
  await ann.context.setOffline(false);
  await ann.row("Of two tabs").waitFor();
  await ann.live();
  await comes("both tabs are done", () => second.getByRole("list", { name: "Being created" }).count(), (n) => n === 0);
  assert.equal((await all(org)).length, 1);
});

test("a websocket that is refused: long polling serves, live", async (t) => {
  const here = crowd(t, stack), org = "polling";
  const line = await Line.open(stack.url, { refuseWebsocket: true });
  t.after(() => line.close());
  const bob = await here("bob", { org, base: line.url, path: "/nowhere" });
  const seen = transports(bob);
  await bob.goto("/");
  await bob.live();
  assert.ok(line.refused >= 1, "a websocket was tried");
  const id = await stack.createTask({ description: "Over long polls" }, { token: stack.token("ann", org, { name: "Ann" }) });
  await bob.badge(bob.row("Over long polls"), "Received").waitFor();
  await move(stack, id, ["dispatched", "coding"]);
  await bob.badge(bob.row("Over long polls"), "Coding").waitFor();
  assert.ok(seen.polling > 0);
  await agrees(bob, org);
});

test("delay and loss: all of it comes, in its order", async (t) => {
  const here = crowd(t, stack), org = "lossy";
  const token = stack.token("ann", org, { name: "Ann" });
  const line = await Line.open(stack.url, { delayMs: 120, lossPercent: 15 });
  t.after(() => line.close());
  const id = await stack.createTask({ description: "Through the storm" }, { token });
  const [ann, bob] = await Promise.all([here("ann", { org, base: line.url }), here("bob", { org, base: line.url, path: `/tasks/${id}` })]);
  await Promise.all([ann.live(), bob.live()]);
  const inputs = ["analyzing", "llm_response", "dispatched", "coding", "pr_opened", "note", "note", "pr_merged"];
  await move(stack, id, inputs);
  await comes("the whole story, in order", () => bob.events(), (all) => all.length === inputs.length + 1);
  assert.deepEqual(await bob.events(), ["created", ...inputs]);
  await bob.page.getByRole("link", { name: "All tasks" }).click();
  await bob.describe("Written in the storm");
  await ann.row("Written in the storm").waitFor();
  await Promise.all([agrees(ann, org), agrees(bob, org)]);
  t.diagnostic(`${line.lost} segments were lost`);
  assert.ok(line.lost > 0);
});

test("a connection that is cut again and again, and a server that ends it: it comes back each time", async (t) => {
  const here = crowd(t, stack), org = "cut";
  const token = stack.token("ann", org, { name: "Ann" });
  const line = await Line.open(stack.url);
  t.after(() => line.close());
  const ann = await (await here("ann", { org, base: line.url })).live();
  for (let round = 0; round < 3; round++) {
    line.cut();
    await ann.says("reconnecting");
    await stack.createTask({ description: `Missed ${round}` }, { token });
    line.mend();
    await ann.live();
    await ann.row(`Missed ${round}`).waitFor();
  }
  await agrees(ann, org);
});

test("a revoked token ends the session with a sentence, and takes what was kept with it", async (t) => {
  const here = crowd(t, stack), org = "revoked";
  await stack.createTask({ description: "Seen before" }, { token: stack.token("kim", org) });
  const kim = await (await here("kim", { org })).live();
  await kim.row("Seen before").waitFor();
  const answer = await stack.call("POST", "/api/admin/revocations", { base: stack.taskdUrl, token: stack.token("op", "ops", { roles: ["admin"] }),
    body: { sub: "kim", issuedBefore: new Date(Date.now() + 600_000).toISOString() } });
  assert.ok(answer.status < 300, JSON.stringify(answer.body));
  await kim.page.getByRole("alert").filter({ hasText: "Sign in again" }).waitFor();
  assert.equal(await kim.page.getByText("Seen before").count(), 0);
  const kept = () => kim.page.evaluate(() => new Promise((done) => {
    const open = indexedDB.open("taskwire");
    open.onsuccess = () => { open.result.transaction("kept").objectStore("kept").count().onsuccess = (e) => { done(e.target.result); open.result.close(); }; };
  }));
  await comes("nothing is kept of them", kept, (n) => n === 0);
});

test("a gateway is killed under an open page: the other one takes over, and nothing is missing", async (t) => {
  const own = await Stack.start({ gateways: 2 });
  t.after(() => own.stop());
  const base = await own.startBalancer({ check: true });
  const here = crowd(t, own);
  const id = await make(own, "Outlives its gateway");
  const people = await Promise.all([here("ann", { base }), here("bob", { base, path: `/tasks/${id}` }), here("cid", { base })]);
  await Promise.all(people.map((p) => p.live()));
  const [ann, bob, cid] = people;
  await ann.row("Outlives its gateway").waitFor();
  for (const victim of [0, 1]) {
    await own.gateways[victim].kill9();
    own.programs.splice(own.programs.indexOf(own.gateways[victim]), 1);
    await move(own, id, victim === 0 ? ["dispatched"] : ["coding"]);
    const words = victim === 0 ? "Dispatched" : "Coding";
    for (const p of [ann, cid]) await p.badge(p.row("Outlives its gateway"), words).waitFor();
    await bob.event(words).waitFor();
    await Promise.all(people.map((p) => p.live()));
    if (victim > 0) break;
    const gateway = own.beginGateway(new URL(own.gateways[0].url).port);
    await own.ready(gateway, gateway.url);
    own.gateways[0] = gateway;
    await until("the balancer sees it", async () => {
      const answers = await Promise.all(Array.from({ length: 4 }, () => fetch(`${base}/api/health/ready`).then((r) => r.ok, () => false)));
      return answers.every(Boolean);
    });
  }
  assert.deepEqual(await bob.events(), ["created", "dispatched", "coding"]);
});

test("one page too many of a person says so, works by fetching, and goes live when there is room", async (t) => {
  const own = await Stack.start({ gatewayEnv: { CONNECTIONS_PER_USER: "1" } });
  t.after(() => own.stop());
  const here = crowd(t, own);
  const ann = await (await here("ann")).live();
  const [first, second] = [ann.page, await ann.newPage()];
  await second.goto(`${own.url}/`);
  await second.locator(".connection").getByRole("status").filter({ hasText: "too many pages open" }).waitFor();
  await second.getByText("Too many of your pages are open.").waitFor();
  await make(own, "Fetched, not told");
  await second.getByRole("article").filter({ hasText: "Fetched, not told" }).waitFor();
  await first.close();
  const now = second.getByRole("button", { name: "Now" });
  await until("there is room", async () => {
    if (await now.count() > 0) await now.click().catch(() => {});
    return (await second.locator(".connection").getByRole("status").innerText()) === "live";
  }, { ms: WAIT_MS, every: 500 });
});

test("F1 with live updates off the page works by fetching, and goes live when they are on again", async (t) => {
  const here = crowd(t, stack), org = "flags";
  const token = stack.token("ann", org, { name: "Ann" });
  const put = (flags) => stack.call("PUT", "/api/admin/flags", { base: stack.taskdUrl, token: stack.token("op", "ops", { roles: ["admin"] }), body: flags });
  t.after(() => put({ FEATURE_WEBSOCKET_ENABLED: null, FEATURE_WEBSOCKET_DASHBOARD: null }));
  const ann = await (await here("ann", { org })).live();
  await put({ FEATURE_WEBSOCKET_ENABLED: false });
  await ann.says("refreshing every 5 s");
  const id = await stack.createTask({ description: "Fetched" }, { token });
  await ann.badge(ann.row("Fetched"), "Received").waitFor();
  await move(stack, id, ["dispatched"]);
  await ann.badge(ann.row("Fetched"), "Dispatched").waitFor();
  await ann.describe("Posted without a socket");
  await ann.row("Posted without a socket").waitFor();
  await ann.row("Fetched").getByRole("link").first().click();
  await ann.event("Dispatched").waitFor();
  await move(stack, id, ["coding"]);
  await ann.event("Coding").waitFor();

  // Only the dashboard is off: the connection stands, and the list is fetched.
  await put({ FEATURE_WEBSOCKET_ENABLED: null, FEATURE_WEBSOCKET_DASHBOARD: false });
  const bob = await here("bob", { org });
  await bob.badge(bob.row("Fetched"), "Coding").waitFor();
  await move(stack, id, ["pr_opened"]);
  await bob.badge(bob.row("Fetched"), "PR open").waitFor();
  await put({ FEATURE_WEBSOCKET_DASHBOARD: null });
  await bob.page.reload();
  await bob.live();
  await agrees(bob, org);
});
