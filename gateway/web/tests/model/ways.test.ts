import { describe, expect, it } from "vitest";
import { isAway, wayOf, type Way } from "../../src/offline/ways";

const ORIGIN = "https://taskwire.example";
const ASSETS = new Set(["/assets/index-abc.js"]);

const way = (path: string, { method = "GET", mode = "cors", origin = ORIGIN } = {}): Way =>
  wayOf({ method, mode, url: origin + path }, ORIGIN, ASSETS);

describe("the worker", () => {
  it("answers for the page, under whatever address a person opens it", () => {
    for (const path of ["/", "/?mine=1", "/tasks/65f0c0ffee65f0c0ffee65f0", "/admin", "/apis"]) {
      expect(way(path, { mode: "navigate" }), path).toBe("page");
    }
  });

  it("never answers for the server: not its calls, not its sockets, nothing that is written", () => {
    for (const path of ["/api", "/api/tasks", "/api/config", "/socket.io", "/socket.io/?EIO=4&transport=polling", "/dev/login", "/sw.js", "/assets/old-1.js"]) {
      for (const mode of ["cors", "navigate"]) expect(way(path, { mode }), path).toBe("network");
    }
    expect(way("/", { method: "POST", mode: "navigate" })).toBe("network");
    expect(way("/", { method: "HEAD" })).toBe("network");
    expect(way("/session/token")).toBe("network");
    expect(way("/", { mode: "navigate", origin: "https://github.com" })).toBe("network");
  });

  it("keeps what is named by its contents, and asks anew for what is not", () => {
    expect(way("/assets/index-abc.js", { mode: "no-cors" })).toBe("kept");
    expect(way("/host.js", { mode: "no-cors" })).toBe("fresh");
    expect(way("/")).toBe("network");
  });

  it("takes a proxy's word that nobody is behind it for no network, and no other error", () => {
    expect([200, 404, 500, 502, 503, 504].filter(isAway)).toEqual([502, 503, 504]);
  });
});
