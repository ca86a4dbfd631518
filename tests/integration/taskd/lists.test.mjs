// lists.test.mjs - GET /api/tasks: pages that stay right while tasks change, filters, search.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Stack, sleep } from "../harness.mjs";

let stack, base;
before(async () => {
  stack = await Stack.start({ gateways: 0 });
  base = stack.taskdUrl;
});
after(() => stack.stop());

const as = (sub, org) => ({ base, token: stack.token(sub, org) });
const create = (who, body) => stack.createTask(body, who);
const edit = (who, id, body) => stack.call("PATCH", `/api/tasks/${id}`, { ...who, body, headers: { "If-Match": "*" } });

async function list(who, query = "") {
  const { status, body } = await stack.call("GET", `/api/tasks?${query}`, who);
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

/** All pages; between two of them, `meanwhile` runs. */
async function walk(who, query, meanwhile = () => {}) {
  const ids = [];
  for (let cursor = ""; cursor !== undefined;) {
    const page = await list(who, `${query}&limit=5${cursor && `&cursor=${cursor}`}`);
    ids.push(...page.tasks.map((t) => t.taskId));
    cursor = page.nextCursor;
    await meanwhile(page);
  }
  return ids;
}

async function twenty(who) {
  const ids = [];
  for (let i = 0; i < 20; i++) ids.push(await create(who, { description: `Door ${i}` }));
  return ids.reverse();
}

test("pages by -createdAt have each task once, whatever happens meanwhile", async () => {
  const who = as("ann", "walk-created");
  const made = await twenty(who);
  let round = 0;
  const seen = await walk(who, "sort=-createdAt", async () => {
    await create(who, { description: "New" });
    await edit(who, made[round * 5], { title: `Seen ${round}` });
    await edit(who, made[made.length - 1 - round], { title: `Still to come ${round}`, isPrivate: true });
    round++;
  });
  assert.deepEqual(seen, made);
});

test("pages by -updatedAt have each task that stays as it is once, and no other twice", async () => {
  const who = as("ann", "walk-updated");
  const made = await twenty(who);
  const moved = [made[0], made[12], made[19]];
  let round = 0;
  const seen = await walk(who, "sort=-updatedAt", async () => {
    await sleep(2);
    if (round < moved.length) await edit(who, moved[round++], { title: "Moved" });
  });
  assert.equal(new Set(seen).size, seen.length);
  assert.deepEqual(seen.filter((id) => !moved.includes(id)), made.filter((id) => !moved.includes(id)));
  assert.deepEqual((await list(who, "sort=-updatedAt&limit=3")).tasks.map((t) => t.taskId), moved.toReversed());
});

test("tasks of one millisecond are neither lost nor met twice", async () => {
  const who = as("ann", "walk-crowd");
  const made = await Promise.all(Array.from({ length: 40 }, (_, i) => create(who, { description: `Crowd ${i}` })));
  for (const sort of ["-createdAt", "-updatedAt"]) assert.deepEqual((await walk(who, `sort=${sort}`)).sort(), made.toSorted());
});

test("a cursor goes on with its own order only", async () => {
  const who = as("ann", "cursor");
  await twenty(who);
  const { nextCursor } = await list(who, "limit=5");
  const { status, body } = await stack.call("GET", `/api/tasks?limit=5&sort=-updatedAt&cursor=${nextCursor}`, who);
  assert.deepEqual([status, body.code], [422, "invalid"]);
  assert.equal((await list(who, "limit=100")).nextCursor, undefined, "nothing follows the last page");
});

test("words are found by their beginnings, in whatever case, in title and description", async () => {
  const ann = as("ann", "search"), bob = as("bob", "search");
  const door = await create(ann, { title: "Blue DOOR", description: "Paint it before Tuesday" });
  const school = await create(ann, { description: "\u00c9COLE stra\u00dfe \u4e2d\u6587" });
  const secret = await create(ann, { description: "Blue secret", isPrivate: true });
  const find = async (q, who = ann) => (await list(who, `q=${encodeURIComponent(q)}`)).tasks.map((t) => t.taskId).sort();
  const all = (...ids) => ids.sort();
  for (const q of ["door", "DOO", "blue door", "door blue", "tues paint", "  door ,", "Door before", "do*", '"door"']) assert.deepEqual(await find(q), all(door), q);
  for (const q of ["\u00e9cole", "STRA\u00dfE", "\u4e2d"]) assert.deepEqual(await find(q), all(school), q);
  for (const q of ["oor", "door missing", "d_or", "door' OR '1", "do%r"]) assert.deepEqual(await find(q), [], q);
  for (const q of ["%", "'; --", "*", ""]) assert.deepEqual(await find(q), all(door, school, secret), `${q}: no word, so no filter`);
  assert.deepEqual(await find("blue"), all(door, secret));
  assert.deepEqual(await find("blue", bob), all(door), "nobody finds what another keeps private");
  assert.deepEqual(await find("blue", as("eve", "elsewhere")), []);
  await edit(ann, door, { title: "Green gate" });
  assert.deepEqual([await find("door"), await find("gate")], [[], all(door)]);
});

test("filters are all of them at once, and paged", async () => {
  const ann = as("ann", "filter"), bob = as("bob", "filter");
  const made = { ann: [], bob: [] };
  for (let i = 0; i < 7; i++) {
    made.ann.push(await create(ann, { description: `Wall ${i}`, isPrivate: i === 0 }));
    made.bob.push(await create(bob, { description: `Wall ${i}` }));
  }
  for (const id of [made.ann[1], made.bob[1]]) await stack.publish("failed", id, { errorMessage: "No paint" });
  for (let done = false; !done; await sleep(20)) done = (await list(ann, "status=failed")).tasks.length === 2;
  const newest = (ids) => ids.toReversed();
  assert.deepEqual(await walk(ann, "creator=bob&active=true&q=wall"), newest(made.bob.filter((id) => id !== made.bob[1])));
  assert.deepEqual(await walk(ann, "mine=true&active=true"), newest(made.ann.filter((id) => id !== made.ann[1])));
  assert.deepEqual(await walk(ann, "mine=true&creator=ann&status=failed&active=false"), [made.ann[1]]);
  assert.deepEqual(await walk(ann, "status=failed&active=true"), []);
  assert.deepEqual(await walk(bob, "creator=ann&sort=-createdAt"), newest(made.ann.slice(1)));
  const { activeCount, failedCount, private: own } = await list(ann);
  assert.deepEqual([activeCount, failedCount, own.activeCount], [11, 2, 1]);
});
