// register.ts - begins the service worker (worker.ts), or ends it: where the server has no sw.js
// any more, it goes and takes what it kept with it. The page itself comes from the network
// wherever there is one, so this reaches everybody who opens it.
const WORKER = "/sw.js";
const CACHE = "taskwire-page";

async function retire(workers: ServiceWorkerContainer): Promise<void> {
  for (const registration of await workers.getRegistrations()) {
    const worker = registration.active ?? registration.waiting ?? registration.installing;
    if (worker && new URL(worker.scriptURL).pathname === WORKER) await registration.unregister();
  }
  await caches.delete(CACHE);
}

export async function keepPage(workers: ServiceWorkerContainer | undefined = navigator.serviceWorker): Promise<void> {
  if (!workers) return; // not over plain http, nor in some private windows
  try {
    const answer = await fetch(WORKER, { method: "HEAD", cache: "no-store" });
    if (answer.status === 404) await retire(workers);
    else if (answer.ok) await workers.register(WORKER, { updateViaCache: "none" });
  } catch {
    // No network, or a browser that will not: the next visit asks again.
  }
}
