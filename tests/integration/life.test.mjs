// A task's whole life through every real part, over each store.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Stack, until } from "./harness.mjs";
import { checkLog, watchOneLife } from "./main_job.mjs";

const LIFE = [
  ["analyzing", {}],
  ["llm_response", { taskType: "feature" }],
  ["dispatched", { issueNumber: 42, issueUrl: "https://github.com/acme/shop/issues/42", githubBranch: "task/42" }],
  ["coding", {}],
  ["pr_opened", { prNumber: 43, prUrl: "https://github.com/acme/shop/pull/43", prTitle: "Paint it", prState: "draft" }],
  ["pr_updated", { prState: "open" }],
  ["pr_merged", { mergeCommitSha: "0123456789abcdef0123456789abcdef01234567" }],
];

for (const store of ["sqlite", "mongo"]) {
  test(`a stock client sees a whole life in order over ${store}`, async () => {
    const stack = await Stack.start({ store });
    try {
      const { dashboard, taskId } = await watchOneLife(stack, async (id) => {
        for (const [type, data] of LIFE) await stack.publish(type, id, data);
      });
      const seen = checkLog(dashboard.log, taskId);
      assert.equal(seen.last, LIFE.length + 1);
      if (seen.snapshotSeq === 1) {
        assert.deepEqual(seen.names, ["task:analyzing", "task:dispatched", "task:coding", "task:pr_opened", "task:pr_updated", "task:pr_merged"]);
      }
      const { body: task, headers } = await stack.call("GET", `/api/tasks/${taskId}`);
      assert.equal(headers.get("etag"), `"${LIFE.length + 1}"`);
      assert.equal(task.status, "merged");
      assert.equal(task.mergeCommitSha, "0123456789abcdef0123456789abcdef01234567");
      assert.deepEqual(task.events.map((e) => e.eventType), ["created", ...LIFE.map(([type]) => type)]);
      const counts = dashboard.log.filter((e) => e.name === "dashboard:task_count_changed").map((e) => e.payload);
      assert.deepEqual(counts.map((c) => [c.activeCount, c.completedCount, c.scope]), [[1, 0, "org"], [0, 1, "org"]]);
      assert.ok(counts[1].rev > counts[0].rev);
    } finally {
      await stack.stop();
    }
  });

  test(`questions are asked, answered over REST and analysed again over ${store}`, async () => {
    const stack = await Stack.start({ store });
    try {
      const taskId = await stack.createTask();
      const client = await stack.connect();
      await client.emitWithAck("task:join", { taskId });
      await stack.publish("analyzing", taskId);
      await stack.publish("clarification_needed", taskId, { questions: ["Which door?", "Which blue?"] });
      const asked = await until("the questions arrive", () => client.log.find((e) => e.name === "task:clarification_needed"));
      assert.deepEqual(asked.payload.questions, ["Which door?", "Which blue?"]);

      const few = await stack.call("POST", `/api/tasks/${taskId}/clarify`, { body: { answers: ["The left one"] } });
      assert.equal(few.status, 422);
      const stranger = await stack.call("POST", `/api/tasks/${taskId}/clarify`, { body: { answers: ["a", "b"] }, token: stack.token("eve", "evil") });
      assert.equal(stranger.status, 404);
      const both = await stack.call("POST", `/api/tasks/${taskId}/clarify`, { body: { answers: ["The left one", "Sky"] } });
      assert.equal(both.status, 202);
      const again = await stack.call("POST", `/api/tasks/${taskId}/clarify`, { body: { answers: ["The left one", "Sky"] } });
      assert.equal(again.status, 409);
      assert.equal(again.body.task?.status ?? again.body.status, again.body.task ? "analyzing" : 409);

      await stack.publish("dispatched", taskId, LIFE[2][1]);
      await until("dispatched", () => client.log.some((e) => e.name === "task:dispatched"));
      const names = client.log.filter((e) => e.payload?.taskId === taskId && e.name.startsWith("task:") && e.name !== "task:state" && e.name !== "task:event_added").map((e) => e.name);
      assert.deepEqual(names, ["task:analyzing", "task:clarification_needed", "task:analyzing", "task:clarified", "task:dispatched"]);
      const notified = await until("the creator is told", () => client.log.find((e) => e.name === "user:notification"));
      assert.equal(notified.payload.taskId, taskId);
      const clarified = client.log.find((e) => e.name === "task:clarified").payload;
      assert.deepEqual(clarified.clarificationAnswers, ["The left one", "Sky"]);
      assert.equal(clarified.status, "dispatched");
    } finally {
      await stack.stop();
    }
  });
}
