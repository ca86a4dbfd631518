import { afterEach, describe, expect, it, vi } from "vitest";
import { keepPage } from "../../src/offline/register";

/** A browser's service workers, with one of ours and one of somebody else's. */
function browser() {
  const one = (path: string) => ({ active: { scriptURL: `http://x${path}` }, waiting: null, installing: null, unregister: vi.fn(async () => true) });
  const ours = one("/sw.js"), theirs = one("/other.js");
  const register = vi.fn(async () => ours);
  const forgotten = vi.fn(async () => true);
  vi.stubGlobal("caches", { delete: forgotten });
  const workers = { register, getRegistrations: async () => [ours, theirs] } as unknown as ServiceWorkerContainer;
  return { workers, register, ours, theirs, forgotten };
}

const server = (answer: () => Response): void => { vi.stubGlobal("fetch", vi.fn(async () => answer())); };

afterEach(() => { vi.unstubAllGlobals(); });

describe("the worker's place", () => {
  it("is taken where the server has one", async () => {
    const { workers, register } = browser();
    server(() => new Response(null, { status: 200 }));
    await keepPage(workers);
    expect(register).toHaveBeenCalledWith("/sw.js", { updateViaCache: "none" });
  });

  it("is left where the server has none any more, with all that was kept", async () => {
    const { workers, register, ours, theirs, forgotten } = browser();
    server(() => new Response(null, { status: 404 }));
    await keepPage(workers);
    expect(register).not.toHaveBeenCalled();
    expect(ours.unregister).toHaveBeenCalledOnce();
    expect(theirs.unregister).not.toHaveBeenCalled();
    expect(forgotten).toHaveBeenCalledWith("taskwire-page");
  });

  it("stays as it is without a network, and while the server is away", async () => {
    const { workers, register, ours } = browser();
    server(() => { throw new TypeError("no network"); });
    await keepPage(workers);
    server(() => new Response(null, { status: 503 }));
    await keepPage(workers);
    expect(register).not.toHaveBeenCalled();
    expect(ours.unregister).not.toHaveBeenCalled();
  });
});
