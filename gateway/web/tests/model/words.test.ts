import { describe, expect, it } from "vitest";
import { ago, changesIn, lasting } from "../../src/model/ages";
import { titleOf } from "../../src/model/letters";
import { safeUrl } from "../../src/model/links";
import { readClaims } from "../../src/session/tokens";

const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;

describe("ages", () => {
  it("are said as people say them", () => {
    expect(ago(0, 3 * SECOND)).toBe("3 seconds ago");
    expect(ago(0, 1 * MINUTE)).toBe("1 minute ago");
    expect(ago(0, 179 * SECOND)).toBe("2 minutes ago");
    expect(ago(0, 26 * HOUR)).toBe("1 day ago");
    expect(ago(5000, 0)).toBe("just now");
    expect(ago(NaN, 0)).toBe("");
    expect(lasting(0, 3 * MINUTE + 1)).toBe("3 min");
  });

  it("say when they become others, and not before", () => {
    for (const age of [0, 900, 1500, 59_999, MINUTE, 3 * MINUTE + 20_000, HOUR - 1, 5 * HOUR, 40 * DAY]) {
      const wait = changesIn(0, age);
      expect(wait).toBeGreaterThan(0);
      expect(ago(0, age + wait - 1)).toBe(ago(0, age));
      if (wait < HOUR) expect(ago(0, age + wait)).not.toBe(ago(0, age));
    }
  });
});

describe("links", () => {
  it("are https, or http to loopback", () => {
    for (const good of ["https://github.com/a/b/pull/1", "http://localhost:8080/x", "http://127.0.0.1/x", "http://[::1]:3/x"]) {
      expect(safeUrl(good)).toBe(new URL(good).href);
    }
    for (const bad of ["javascript:alert(1)", "http://github.com/", "data:text/html,x", "//github.com", "nonsense", "",
      undefined, "http://localhost.evil.example/", "http://127.0.0.1.evil.example/", "https://me:secret@github.com/"]) {
      expect(safeUrl(bad)).toBeNull();
    }
  });
});

describe("a title", () => {
  it("is the description's first line that says something", () => {
    expect(titleOf("\n  Blue door \r\nplease")).toBe("Blue door");
    expect(titleOf(" \n ")).toBe("Untitled");
    expect([...titleOf("é".repeat(300))]).toHaveLength(200);
  });
});

describe("a token", () => {
  const sign = (claims: object): string => {
    const bytes = new TextEncoder().encode(JSON.stringify(claims));
    return `x.${btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}.y`;
  };

  it("says who it is for", () => {
    expect(readClaims(sign({ sub: "zoë", org: "demo", name: "Zoë ☂", roles: ["admin", 4], exp: 5 })))
      .toEqual({ sub: "zoë", org: "demo", name: "Zoë ☂", roles: ["admin"], expiresAt: 5000 });
    expect(readClaims(sign({ sub: "ann", exp: 5 }))).toMatchObject({ org: "~ann", name: "ann", roles: [] });
  });

  it("is none where it makes no sense", () => {
    for (const bad of ["", "a.b.c", "a", sign({ exp: 1 }), sign({ sub: "a" }), "a.eyJ.c"]) expect(readClaims(bad)).toBeNull();
  });
});
