// worker.ts - the service worker (/sw.js): the page opens without a network, too, so that what
// was seen last, and forms that wait to be sent, are there after a reload on a train.
//
// It keeps the page's own files and nothing else: no answer of /api, nothing of a person. The
// page comes from the network wherever there is one, so a new build is seen at once, and this
// file, whose text changes with each build, brings what is kept up to it. What is kept is always
// one build: either all of its files or the worker is not installed. Operators end it by taking
// sw.js away (register.ts).
import { isAway, OWN_FILES, wayOf } from "./ways";

declare const self: ServiceWorkerGlobalScope;
/** The build's files under /assets/: vite.config.ts puts them here. */
declare const ASSETS: readonly string[];

const CACHE = "taskwire-page";
const PATIENCE_MS = 5000;
const assets: ReadonlySet<string> = new Set(ASSETS);

async function answerFor(path: string): Promise<Response> {
  const answer = await fetch(new Request(path, { cache: assets.has(path) ? "default" : "no-cache" }));
  if (!answer.ok || answer.redirected) throw new Error(`${path} answered ${answer.status}`);
  return answer;
}

/** Not somebody else's page: what stands before the gateway may ask people to sign in. */
async function isOurs(page: Response): Promise<boolean> {
  const text = await page.clone().text();
  return ASSETS.some((path) => text.includes(path));
}

async function fill(): Promise<void> {
  const paths = [...OWN_FILES, ...ASSETS];
  const answers = await Promise.all(paths.map(answerFor));
  if (!answers[0] || !(await isOurs(answers[0]))) throw new Error("the page is another one");
  const cache = await caches.open(CACHE);
  await Promise.all(answers.map((answer, i) => cache.put(paths[i] ?? "/", answer)));
  await self.skipWaiting();
}

async function tidy(): Promise<void> {
  const cache = await caches.open(CACHE);
  for (const { url } of await cache.keys()) {
    const { pathname } = new URL(url);
    if (!assets.has(pathname) && !OWN_FILES.some((path) => path === pathname)) await cache.delete(url);
  }
  await self.clients.claim();
}

async function kept(path: string): Promise<Response | undefined> {
  return (await caches.open(CACHE)).match(path, { ignoreVary: true });
}

/** From the network; what is kept where that is away, or takes longer than a person waits. */
async function page(request: Request): Promise<Response> {
  const late = new Promise<null>((done) => { setTimeout(() => done(null), PATIENCE_MS); });
  const asked = fetch(request);
  const answer = await Promise.race([asked.catch(() => null), late]);
  if (answer && !isAway(answer.status)) return answer;
  return (await kept("/")) ?? asked;
}

async function fresh(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  const answer = await fetch(request).catch(() => null);
  if (answer?.ok && !answer.redirected) await (await caches.open(CACHE)).put(pathname, answer.clone());
  if (answer && !isAway(answer.status)) return answer;
  return (await kept(pathname)) ?? answer ?? Response.error();
}

self.addEventListener("install", (event) => event.waitUntil(fill()));
self.addEventListener("activate", (event) => event.waitUntil(tidy()));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  switch (wayOf(request, self.location.origin, assets)) {
    case "network": return;
    case "page": return event.respondWith(page(request));
    case "kept": return event.respondWith(kept(new URL(request.url).pathname).then((answer) => answer ?? fetch(request)));
    case "fresh": return event.respondWith(fresh(request));
  }
});
