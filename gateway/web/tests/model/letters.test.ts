import { describe, expect, it } from "vitest";
import { isRepo } from "../../src/model/letters";

// The same cases as in tests/unit/proto/check_test.c, repositories_are_owner_and_name.
describe("a repository", () => {
  it("is an owner and a name, as the server takes them", () => {
    const longest = `${"o".repeat(39)}/${"n".repeat(100)}`;
    for (const text of ["acme/site", "a-b/c_d.e", "_x/y", "-a/.github", "a.b/...", "some_one/1", longest]) expect(isRepo(text), text).toBe(true);
    for (const text of ["", "/", "a", "a/", "/b", "a/b/c", "a/..", "./b", "../b", "a/.", "a b/c", "a/b\n", "https://github.com/a/b", "a/b?x", "ä/b",
      `o${longest}`, `${longest}n`]) expect(isRepo(text), text).toBe(false);
  });
});
