// people.mjs - Chromium, and people in front of it, each in a browser context of their own
// (other cookies, other storage: another browser as far as pages can tell).
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";
import { until } from "../integration/harness.mjs";

const require = createRequire(import.meta.url);
export const WAIT_MS = 60_000;                 // generous: the machine may be busy
// Chromium without its windows is Chromium, and costs half: that one first.
const PLACES = [process.env.CHROMIUM, "/usr/bin/chromium-headless-shell", "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-software-rasterizer", "--mute-audio"];

let running = null;

/** Debian's Chromium, one for a test file. */
export async function openBrowser() {
  const executablePath = PLACES.find((p) => p && existsSync(p));
  if (!executablePath) throw new Error("Chromium is not installed (deploy/deps.sh installs it)");
  running ??= chromium.launch({ executablePath, args: FLAGS });
  return running;
}

export async function closeBrowser() {
  await (await running)?.close();
  running = null;
}

/** A person with a page open, signed in as by an application around Taskwire (public/host.js). */
export class Person {
  /** `script`: run in each page before its own. What moves for ever is drawn for ever, and what a
   *  service worker answers no test sees: both are there for the tests that ask for them. */
  static async open(stack, sub, { path = "/", base = stack.url, org = "acme", roles, isGuest = false, script, ...options } = {}) {
    const person = new Person();
    Object.assign(person, { stack, sub, base, faults: [], tokens: 0 });
    person.context = await (await openBrowser()).newContext({
      locale: "en-GB", timezoneId: "Europe/Berlin", reducedMotion: "reduce", serviceWorkers: "block", ...options,
    });
    person.context.setDefaultTimeout(WAIT_MS);
    if (script) await person.context.addInitScript(script);
    if (!isGuest) {
      const name = sub[0].toUpperCase() + sub.slice(1);
      await person.context.exposeFunction("askToken", () => {
        person.tokens++;
        return stack.token(sub, org, { name, jti: `${sub}-${person.tokens}`, ...(roles && { roles }) });
      });
      await person.context.addInitScript(() => { window.taskwireHost = { getToken: () => window.askToken() }; });
    }
    person.page = await person.newPage();
    await person.goto(path);
    return person;
  }

  /** A tab. What breaks in it is kept in `faults`: errors that nobody caught, and what the policy forbade. */
  async newPage() {
    const page = await this.context.newPage();
    page.on("pageerror", (error) => this.faults.push(error.stack ?? String(error)));
    page.on("console", (message) => {
      if (/Content Security Policy|React|Warning:/.test(message.text())) this.faults.push(message.text());
    });
    return page;
  }

  goto(path) { return this.page.goto(this.base + path); }
  async live() { await this.says("live"); return this; }
  /** The connection indicator's word, as a screen reader hears it. */
  says(word) { return this.page.locator(".connection").getByRole("status").filter({ hasText: word }).waitFor(); }

  list(section) { return this.page.getByRole("list", { name: `${section} tasks` }); }
  row(title, section = "Active") { return this.list(section).getByRole("listitem").filter({ hasText: title }); }
  /** Titles of a list in the order in which they stand. */
  async titles(section = "Active") {
    const rows = await this.list(section).getByRole("listitem").all();
    const found = await Promise.all(rows.map(async (row) => [Number(await row.getAttribute("aria-posinset")), await row.getByRole("link").first().innerText()]));
    return found.sort((a, b) => a[0] - b[0]).map(([, title]) => title);
  }
  badge(within, text) { return within.getByText(text, { exact: true }); }
  event(text) { return this.page.getByRole("log").getByRole("listitem").filter({ hasText: text }); }
  async events() {
    return this.page.getByRole("log").getByRole("listitem").evaluateAll((all) => all.filter((e) => e.dataset.event).map((e) => e.dataset.event));
  }
  bell() { return this.page.getByRole("button", { name: /^Notifications/ }); }
  toast(text) { return this.page.getByRole("region", { name: /^Notification/ }).getByRole("listitem").filter({ hasText: text }); }

  async describe(text, { isPrivate = false } = {}) {
    await this.page.getByRole("textbox", { name: "Describe a task" }).fill(text);
    if (isPrivate) await this.page.getByRole("checkbox", { name: "Only for me" }).check();
    await this.page.getByRole("button", { name: "Create task" }).click();
  }

  /** All that the browser keeps for this page, as text. */
  async kept() {
    return JSON.stringify(await this.page.evaluate(async () => {
      const all = { ...localStorage, ...sessionStorage, cookie: document.cookie };
      const db = await new Promise((done, fail) => {
        const open = indexedDB.open("taskwire");
        open.onsuccess = () => done(open.result);
        open.onerror = fail;
      });
      for (const name of db.objectStoreNames) {
        all[name] = await new Promise((done) => { db.transaction(name).objectStore(name).getAll().onsuccess = (e) => done(e.target.result); });
      }
      db.close();
      return all;
    }));
  }

  async close() {
    await this.context.close();
    if (this.faults.length > 0) throw new Error(`${this.sub}'s page broke:\n${this.faults.join("\n")}`);
  }
}

/** People for one test, all of whom go when it ends; a fault of any page fails the test. */
export function crowd(t, stack) {
  const here = [];
  t.after(async () => {
    const ends = await Promise.allSettled(here.map((p) => p.close()));
    const bad = ends.find((e) => e.status === "rejected");
    if (bad) throw bad.reason;
  });
  return async (sub, options) => {
    const person = await Person.open(stack, sub, options);
    here.push(person);
    return person;
  };
}

/** Wait for an element's text, attribute or whatever `look` gives of the page to be as wanted. */
export function comes(what, look, isWanted) {
  return until(what, async () => isWanted(await look()), { ms: WAIT_MS, every: 50 });
}

/** What colour an element has, as a person would name it, by its computed style. */
export async function tone(element, property = "backgroundColor") {
  const rgb = await element.evaluate((e, p) => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    canvas.fillStyle = getComputedStyle(e)[p];
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  }, property);
  const [r, g, b, a] = rgb;
  if (a === 0) return "none";
  const max = Math.max(r, g, b), min = Math.min(r, g, b);
  if (max - min < 12) return "grey";
  const sector = max === r ? (g - b) / (max - min) : max === g ? 2 + (b - r) / (max - min) : 4 + (r - g) / (max - min);
  const hue = (sector * 60 + 360) % 360;
  const names = [[20, "red"], [70, "yellow"], [165, "green"], [200, "teal"], [270, "blue"], [340, "violet"], [360, "red"]];
  return names.find(([end]) => hue <= end)[1];
}

const axeSource = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** What axe-core finds that is serious or critical, as "rule: element". `rules`: these alone. */
export async function seriousFindings(page, rules) {
  if (!await page.evaluate(() => "axe" in window)) await page.evaluate(axeSource);
  const violations = await page.evaluate(async (only) => (await window.axe.run(document, {
    resultTypes: ["violations"], ...(only && { runOnly: { type: "rule", values: only } }),
  })).violations, rules);
  return violations.filter((v) => v.impact === "serious" || v.impact === "critical")
    .flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target.join(" ")} ${n.failureSummary?.split("\n").slice(1).join(" ") ?? ""}`));
}
