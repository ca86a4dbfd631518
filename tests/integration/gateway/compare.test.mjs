// compare.test.mjs - the second line behind the feed: what a room has missed without anybody
// noticing is found by comparing with the store, and healed (DESIGN 7).
import test from "node:test";
import assert from "node:assert/strict";
import { Stack, ask, freePort, until } from "../harness.mjs";

test("a transition that a gateway was tricked out of is found by comparing, and made good", async () => {
  const metrics = await freePort();
  const stack = await Stack.start({ gatewayEnv: { COMPARE_INTERVAL_MS: "1000", METRICS_PORT: String(metrics) } });
  try {
    const id = await stack.createTask({ description: "the last word" });
    const other = await stack.createTask({ description: "not joined by anybody" });
    const room = await stack.connect({ token: stack.token("ann") }), board = await stack.connect({ token: stack.token("bob") });
    assert.deepEqual(await ask(room, "task:join", { taskId: id }), { ok: true });
    assert.deepEqual(await ask(board, "dashboard:join", {}), { ok: true });
    const rowOf = (task) => board.log.findLast((e) => e.payload.taskId === task)?.payload.seq ??
      board.log.findLast((e) => e.name === "dashboard:state").payload.tasks.find((t) => t.taskId === task).seq;
    const seqs = () => room.log.filter((e) => e.payload.taskId === id).map((e) => `${e.name} ${e.payload.seq}`);
    const counter = async (name) => {
      const text = await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();
      return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)[1]);
    };

    await until("rooms were compared, and nothing was found", () => counter("taskwire_compared_total").then((n) => n > 3));
    assert.equal(await counter("taskwire_compared_behind_total"), 0);

    // Somebody else takes the next numbers of the feed: the gateway believes that it has had them.
    for (const task of [id, other]) {
      const [epoch, number] = (await stack.redisCall("HMGET", "tasks:org:acme", "epoch", "number")).split("\n");
      await stack.redisCall("PUBLISH", "tasks:live:acme", `${epoch} ${BigInt(number) + 1n}\n1 - acme - - 0\n`);
      await stack.publish("note", task, { text: "unheard" });
      await until("it is stored", async () => (await stack.call("GET", `/api/tasks/${task}`)).body.seq === 2);
    }
    await until("the room has the truth", () => room.log.at(-1).payload.seq === 2);
    assert.deepEqual(seqs(), ["task:state 1", "task:state 2"]);
    await until("the dashboard has it, too", () => rowOf(id) === 2 && rowOf(other) === 2);
    assert.ok(await counter("taskwire_compared_behind_total") > 0);

    await stack.publish("note", id, { text: "heard" });
    await until("and what follows is live", () => room.log.at(-1).payload.seq === 3);
    assert.deepEqual(seqs(), ["task:state 1", "task:state 2", "task:event_added 3"]);
  } finally {
    await stack.stop();
  }
});
