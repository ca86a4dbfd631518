// suites.test.mjs - what the runner makes of what it cannot have.
import assert from "node:assert/strict";
import { test } from "node:test";
import { withoutServer } from "../suites/store.mjs";

test("a MongoDB-wire server that cannot be had is a failure, unless one says that it is missing, and under CI always", (t) => {
  const outcome = (env) => { const { passed, failed, skipped } = withoutServer(env, "no network"); return [passed, failed, skipped.length]; };
  t.mock.method(console, "log", () => {});
  assert.deepEqual(outcome({}), [0, 1, 0]);
  assert.deepEqual(outcome({ CI: "true" }), [0, 1, 0]);
  assert.deepEqual(outcome({ CI: "true", TASKWIRE_WITHOUT_MONGO: "1" }), [0, 1, 0]);
  assert.deepEqual(outcome({ TASKWIRE_WITHOUT_MONGO: "1" }), [0, 0, 1]);
});
