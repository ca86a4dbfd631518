// manners.test.mjs - good manners: keyboard and focus, notifications, signing in, secrets, what
// axe-core finds, and what the first paint costs.
import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import { Stack, until } from "../integration/harness.mjs";
import { make, move } from "./lives.mjs";
import { closeBrowser, comes, crowd, seriousFindings } from "./people.mjs";

let stack;
before(async () => { stack = await Stack.start({ gatewayEnv: { DEV_LOGIN: "true" } }); });
after(async () => {
  await closeBrowser();
  await stack?.stop();
});

const focused = (page) => page.evaluate(() => document.activeElement?.closest("li,form,button,a,input,textarea")?.textContent ?? "");

test("keyboard: n, /, j and k, Enter, g d, ? and Escape, with the focus where it was", async (t) => {
  const here = crowd(t, stack);
  for (const title of ["Key one", "Key two", "Key three"]) await make(stack, title);
  const ann = await (await here("ann")).live();
  const { page } = ann;
  const key = (k) => page.keyboard.press(k);
  const has = (locator) => comes("it has the focus", () => locator.evaluate((e) => e === document.activeElement), Boolean);
  await ann.row("Key one").waitFor();

  await key("n");
  await has(page.getByRole("textbox", { name: "Describe a task" }));
  await page.keyboard.type("Written by keys / n ? j");
  await key("Control+Enter");
  await ann.row("Written by keys / n ? j").waitFor();
  await key("Escape");
  await key("/");
  await has(page.getByRole("searchbox", { name: "Search tasks" }));
  await page.keyboard.type("key");
  await comes("found", () => ann.titles(), (all) => all.length === 4 && all.every((x) => /key/i.test(x)));
  await key("Escape");
  await comes("left and empty", () => page.getByRole("searchbox").inputValue(), (v) => v === "");
  await comes("all again", () => new URL(page.url()).search, (s) => s === "");

  await key("j");
  await comes("the first row", () => focused(page), (x) => x.includes("Written by keys"));
  await key("j");
  await comes("the second", () => focused(page), (x) => x.includes("Key three"));
  await key("k");
  await comes("the first", () => focused(page), (x) => x.includes("Written by keys"));
  await key("j");
  await comes("the second", () => focused(page), (x) => x.includes("Key three"));
  await key("Enter");
  await page.getByRole("heading", { name: "Key three" }).waitFor();
  await key("g");
  await key("d");
  await ann.row("Key three").waitFor();

  const bell = ann.bell();
  await bell.focus();
  await key("Enter");
  const panel = page.getByRole("dialog", { name: "Notifications" });
  await panel.waitFor();
  await key("Escape");
  await comes("closed", () => panel.count(), (n) => n === 0);
  await has(bell);
  await key("?");
  const help = page.getByRole("dialog", { name: "Keyboard" });
  await help.waitFor();
  await help.getByText("New task").waitFor();
  await key("Escape");
  await comes("closed", () => help.count(), (n) => n === 0);
  await has(bell);
  assert.notEqual(await bell.evaluate((e) => getComputedStyle(e).outlineStyle), "none", "the focus is visible");
});

test("notifications: the bell counts, a toast tells, reading goes to all devices", async (t) => {
  const here = crowd(t, stack);
  const [ann, phone] = await Promise.all([here("nora", { permissions: ["notifications"] }), here("nora")]);
  await Promise.all([ann.live(), phone.live()]);
  const id = await make(stack, "Worth a toast", { sub: "nora" });
  await move(stack, id, ["dispatched", "coding", "pr_opened"]);
  const toast = ann.toast("PR ready for review");
  await toast.getByText("Worth a toast").waitFor();
  const link = toast.getByRole("link", { name: "Open pull request" });
  assert.equal(await link.getAttribute("href"), "https://github.com/acme/shop/pull/43");
  assert.equal(await link.getAttribute("target"), "_blank");
  for (const p of [ann, phone]) await p.page.getByRole("button", { name: "Notifications, 1 unread" }).waitFor();
  await comes("in the title, too", () => ann.page.title(), (x) => x.startsWith("(1) "));
  await toast.getByRole("button", { name: "Dismiss" }).click();
  await comes("the toast goes", () => toast.count(), (n) => n === 0);

  await ann.bell().click();
  const panel = ann.page.getByRole("dialog", { name: "Notifications" });
  await panel.getByRole("link", { name: "PR ready for review: Worth a toast" }).click();
  await ann.page.getByRole("heading", { name: "Worth a toast" }).waitFor();
  await ann.page.getByRole("button", { name: "Notifications", exact: true }).waitFor();
  await phone.page.reload();
  await phone.live();
  await phone.page.getByRole("button", { name: "Notifications", exact: true }).waitFor();
  await move(stack, id, ["pr_merged"]);
  await ann.toast("Merged").waitFor();
});

/** Who looks at another window, and hears what the browser is asked to say. A headless shell has
 *  nowhere to show it, and so says "denied" whatever was granted: what was is asked of where it is kept. */
function elsewhere() {
  let isGranted = false;
  void navigator.permissions.query({ name: "notifications" }).then(({ state }) => { isGranted = state === "granted"; });
  window.isElsewhere = false;
  window.told = [];
  Object.defineProperty(document, "hidden", { get: () => window.isElsewhere });
  window.Notification = class extends window.Notification {
    static get permission() { return isGranted ? "granted" : "default"; }
    constructor(title, options) {
      super(title, options);
      window.told.push({ title, ...options, shown: this });
    }
  };
}

test("the browser's own notifications, where they are allowed and nobody looks at the page", async (t) => {
  const here = crowd(t, stack);
  const [olaf, shy] = await Promise.all([here("olaf", { permissions: ["notifications"], script: elsewhere }), here("olaf", { script: elsewhere })]);
  await Promise.all([olaf.live(), shy.live()]);
  const told = (p) => p.page.evaluate(() => window.told.map(({ title, body }) => `${title}: ${body}`));
  const id = await make(stack, "Told outside", { sub: "olaf" });
  await move(stack, id, ["analyzing", "clarification_needed"]);
  await olaf.toast("Needs your answer").waitFor();
  assert.deepEqual(await told(olaf), [], "who looks at the page has the toast");
  for (const p of [olaf, shy]) await p.page.evaluate(() => { window.isElsewhere = true; });
  await stack.call("POST", `/api/tasks/${id}/clarify`, { body: { answers: ["Sky", "Yes"] }, token: stack.token("olaf") });
  await move(stack, id, ["dispatched", "coding", "pr_opened"]);
  await comes("it is told", () => told(olaf), (all) => all.some((x) => /^PR ready for review: Told outside\n/.test(x)));
  await shy.toast("PR ready for review").waitFor();
  assert.deepEqual(await told(shy), [], "who has not allowed it is left alone");
  await olaf.page.evaluate(() => { window.told.at(-1).shown.dispatchEvent(new Event("click")); });
  await olaf.page.getByRole("heading", { name: "Told outside" }).waitFor();
});

test("signing in as a demo person, and out; no token is stored or said, and what was kept goes", async (t) => {
  const here = crowd(t, stack);
  const guest = await here("guest", { isGuest: true, path: "/" });
  const { page } = guest;
  const said = [];
  page.on("console", (m) => said.push(m.text()));
  await page.getByRole("button", { name: /^Bob demo/ }).click();
  await guest.live();
  await guest.describe("Of the demo");
  await guest.row("Of the demo").waitFor();
  const stored = () => guest.kept();
  await until("what was shown is kept for the next first paint", async () => (await stored()).includes("Of the demo"));
  assert.doesNotMatch(await stored() + said.join("\n") + page.url(), /eyJ/, "no token");
  await page.reload();
  await guest.row("Of the demo").waitFor();
  await page.getByRole("button", { name: "Signed in as Bob" }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("button", { name: /^Ann demo/ }).waitFor();
  await comes("nothing is kept", stored, (text) => !text.includes("Of the demo"));
  assert.doesNotMatch(said.join("\n"), /eyJ/);
});

test("axe-core finds nothing serious: dashboard, form, task, questions, offline, sign-in, light and dark", async (t) => {
  const here = crowd(t, stack), org = "axe";
  const token = stack.token("ann", org, { name: "Ann" });
  const steps = ["analyzing", "clarification_needed", "dispatched", "coding", "pr_opened", "pr_merged"];
  const ids = [];
  for (let i = 0; i <= steps.length; i++) {
    const id = await stack.createTask({ description: `Looked at by axe, ${i}`, isPrivate: i === 0 }, { token });
    if (i === 2) await move(stack, id, ["analyzing", "clarification_needed"]);
    else await move(stack, id, steps.slice(0, i).filter((s) => s !== "clarification_needed"));
    ids.push(id);
  }
  await move(stack, await stack.createTask({ description: "Looked at by axe, failed" }, { token }), ["failed"]);
  // In the dark there are other colours, and nothing else that is other.
  const nothing = async ({ page }, where) => {
    // Colours that are on their way to others are not looked at.
    const atRest = () => comes("at rest", () => page.evaluate(() => document.getAnimations().filter((a) => a.effect?.getComputedTiming().iterations !== Infinity).length), (n) => n === 0);
    await atRest();
    assert.deepEqual(await seriousFindings(page), [], where);
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    await page.emulateMedia({ colorScheme: "dark" });
    await comes("dark", ground, (colour) => colour !== light);
    await atRest();
    assert.deepEqual(await seriousFindings(page, ["color-contrast"]), [], `${where}, dark`);
    await page.emulateMedia({ colorScheme: "light" });
  };
  const ann = await (await here("ann", { org })).live();
  const { page } = ann;
  await ann.row("Looked at by axe, 6", "Completed").waitFor();
  await nothing(ann, "dashboard");
  await page.getByRole("textbox", { name: "Describe a task" }).focus();
  await page.getByRole("button", { name: "Create task" }).click();
  await page.getByRole("alert").filter({ hasText: "Say in a few words" }).waitFor();
  await nothing(ann, "form");
  for (const [i, what] of [[2, "questions"], [6, "merged"]]) {
    await ann.goto(`/tasks/${ids[i]}`);
    await page.getByRole("heading", { name: `Looked at by axe, ${i}` }).waitFor();
    await ann.live();
    await nothing(ann, what);
  }
  await ann.bell().click();
  const panel = page.getByRole("dialog", { name: "Notifications" });
  await panel.waitFor();
  await comes("there is something in it", () => panel.getByRole("listitem").count(), (n) => n > 0);
  await nothing(ann, "notifications");
  await page.keyboard.press("Escape");
  await ann.context.setOffline(true);
  await page.getByRole("status").filter({ hasText: "You're offline" }).waitFor();
  await nothing(ann, "offline");
  const guest = await here("guest", { isGuest: true });
  await guest.page.getByRole("button", { name: /^Ann demo/ }).waitFor();
  await nothing(guest, "sign-in");
});

test("the first load is under 150 kB of compressed script, and its rows do not push each other about", async (t) => {
  const here = crowd(t, stack);
  await make(stack, "Painted first");
  const ann = await here("ann");
  await ann.live();
  const sizes = await ann.page.evaluate(() => performance.getEntriesByType("resource").filter((e) => e.name.endsWith(".js")).map((e) => e.encodedBodySize));
  const total = sizes.reduce((a, b) => a + b, 0);
  t.diagnostic(`${total} bytes of script in ${sizes.length} files`);
  assert.ok(total > 20_000 && total < 150_000, String(total));
  await ann.context.addInitScript(() => {
    window.shifts = 0;
    new PerformanceObserver((list) => { for (const e of list.getEntries()) if (!e.hadRecentInput) window.shifts += e.value; })
      .observe({ type: "layout-shift", buffered: true });
  });
  await ann.page.reload();
  await ann.live();
  await ann.row("Painted first").waitFor();
  const shift = await ann.page.evaluate(() => window.shifts);
  t.diagnostic(`layout shift ${shift.toFixed(4)}`);
  assert.ok(shift < 0.1, `layout shift ${shift}`);
});

test("on a phone nothing is wider than the screen", async (t) => {
  const here = crowd(t, stack);
  const id = await make(stack, `A title without end ${"and on ".repeat(20)}`, { sub: "pia" });
  await move(stack, id, ["dispatched", "coding", "pr_opened"]);
  const pia = await (await here("pia", { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true })).live();
  const overflow = () => pia.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  await pia.row("A title without end").waitFor();
  assert.equal(await overflow(), 0, "dashboard");
  await pia.row("A title without end").getByRole("link").first().tap();
  await pia.event("PR opened").waitFor();
  assert.equal(await overflow(), 0, "task");
});
