// taskd is killed while inputs pour in; nothing acknowledged is lost, no event twice.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Stack, ask, sleep, until } from "./harness.mjs";

for (const store of ["sqlite", "mongo"]) {
  test(`kill -9 of taskd at 200 inputs a second loses and repeats nothing over ${store}`, async () => {
    const stack = await Stack.start({ store, gatewayEnv: { JOINS_PER_SECOND: "0" } });
    try {
      const watcher = await stack.connect({ token: stack.token("watcher", "load") });
      const joins = new Map();                       // taskId -> its join's answer
      watcher.on("task:created", ({ taskId }) => joins.set(taskId, ask(watcher, "task:join", { taskId })));
      assert.deepEqual(await ask(watcher, "dashboard:join", {}), { ok: true });

      const simulator = stack.beginTaskctl("simulate", ["simulate", "--org", "load", "--rate", "200", "--seconds", "6", "--quiet"]);
      for (let kills = 0; kills < 2; kills++) {
        await sleep(2000);
        await stack.taskd.kill9();
        await sleep(300);
        await stack.startTaskd();
      }
      assert.equal((await simulator.ended).code, 0);
      await until("the ingest stream is empty", async () => (await stack.redisCall("XLEN", "tasks:ingest")) === "0", { ms: 100_000 });
      const admin = { base: stack.taskdUrl, token: stack.token("op", "ops", { roles: ["admin"] }) };
      await until("the outbox is empty", async () => (await stack.call("GET", "/api/admin/outbox", admin)).body.unpublished === 0, { ms: 60_000 });

      // What the store holds, page by page.
      const token = stack.token("watcher", "load");
      const stored = new Map();
      for (let cursor = ""; cursor !== undefined;) {
        const { body } = await stack.call("GET", `/api/tasks?limit=100${cursor && `&cursor=${encodeURIComponent(cursor)}`}`, { token });
        for (const t of body.tasks) stored.set(t.taskId, t);
        cursor = body.nextCursor;
      }
      assert.ok(stored.size > 20, `only ${stored.size} tasks were made`);

      const rowsOf = (id) => watcher.log.filter((e) => e.name === "dashboard:task_list_updated" && e.payload.taskId === id).map((e) => e.payload);
      await until("the watcher has caught up", () => [...stored.values()].every((t) => rowsOf(t.taskId).at(-1)?.seq === t.seq), { ms: 20_000 });
      for (const [id, t] of stored) {
        const rows = rowsOf(id);
        assert.deepEqual(rows.map((r) => r.seq), Array.from({ length: t.seq }, (_, i) => i + 1), `rows of ${id}`);
        assert.equal(rows.at(-1).status, t.status);
      }
      assert.equal(joins.size, stored.size, "every task that was created was announced once");
      for (const [id, join] of joins) {
        const answer = await join.catch((e) => ({ ok: false, error: e }));
        if (!answer.ok) continue;                    // taskd was away: the client is told, and may try again
        const mine = watcher.log.filter((e) => e.payload?.taskId === id);
        const snapshot = mine.findLast((e) => e.name === "task:state").payload;
        const added = mine.filter((e) => e.name === "task:event_added").map((e) => e.payload.seq);
        assert.deepEqual(added, added.map((_, i) => snapshot.seq + 1 + i), `events of ${id}`);
        assert.equal(added.at(-1) ?? snapshot.seq, stored.get(id).seq);
      }
      // Every accepted input left exactly one timeline event.
      for (const id of [...stored.keys()].slice(0, 20)) {
        const { body } = await stack.call("GET", `/api/tasks/${id}/events?limit=100`, { token });
        assert.deepEqual(body.events.map((e) => e.seq), Array.from({ length: stored.get(id).seq }, (_, i) => i + 1));
      }
    } finally {
      await stack.stop();
    }
  });
}
