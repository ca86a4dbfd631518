// timeline.mjs - does a task with a long timeline take its next event in the time of its first?
//
//   node tests/bench/timeline.mjs [events=10000] [sqlite,mongo]
//
// One task takes so many notes of the bus, one after the other; then it and new tasks take a hundred
// more by turns, and its timeline is read from end to end.
import { Stack, until } from "../integration/harness.mjs";
import { task, xadd } from "../integration/taskd/witness.mjs";
import { median } from "./measure.mjs";

const EVENTS = Number(process.argv[2] || 10_000), STORES = (process.argv[3] || "sqlite,mongo").split(",");
const ROUNDS = 9, MORE = 100;

/** Notes until the task's seq is `to`; gives ms for each. */
async function grow(stack, id, from, to) {
  const began = performance.now();
  await Promise.all(Array.from({ length: to - from }, (_, i) => xadd(stack, stack.event("note", id, { text: `note ${from + i}` }))));
  await until(`seq ${to}`, async () => (await task(stack, id, { base: stack.taskdUrl })).seq >= to, { ms: 300_000, every: 20 });
  return (performance.now() - began) / (to - from);
}

async function read(stack, id) {
  const began = performance.now();
  let count = 0;
  for (let page = 200; page === 200; count += page) {
    const { body } = await stack.call("GET", `/api/tasks/${id}/events?limit=200&after=${count}`, { base: stack.taskdUrl });
    page = body.events.length;
    body.events.forEach((e, i) => { if (e.seq !== count + i + 1) throw new Error(`${e.seq} stands at ${count + i + 1}`); });
  }
  return { count, ms: performance.now() - began };
}

for (const store of STORES) {
  const stack = await Stack.start({ store, gateways: 0 });
  try {
    const make = () => stack.createTask({ description: "A long story" }, { base: stack.taskdUrl });
    const old = await make(), times = { young: [], grown: [], old: [] };
    const all = await grow(stack, old, 1, EVENTS);
    for (let i = 0; i < ROUNDS; i++) {
      const young = await make();
      times.young.push(await grow(stack, young, 1, MORE));
      times.grown.push(await grow(stack, young, MORE, 2 * MORE));
      times.old.push(await grow(stack, old, EVENTS + i * MORE, EVENTS + (i + 1) * MORE));
    }
    const { count, ms } = await read(stack, old);
    const o = median(times.old), y = median(times.young), g = median(times.grown);
    console.log(`${store}: one task, ${count} events`);
    console.log(`  a note, of its first ${EVENTS}          ${all.toFixed(2)} ms`);
    console.log(`  a note, of a new task's first ${MORE}   ${y.toFixed(2)} ms (median of ${ROUNDS} rounds)`);
    console.log(`  a note, of its second ${MORE}           ${g.toFixed(2)} ms`);
    console.log(`  a note, after the ${EVENTS}             ${o.toFixed(2)} ms: ${(o / y).toFixed(2)} of the first's, ${(o / g).toFixed(2)} of the second's`);
    console.log(`  the whole timeline, 200 at a time  ${ms.toFixed(0)} ms`);
  } finally {
    await stack.stop();
  }
}
