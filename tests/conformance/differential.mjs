// differential.mjs -- the same words to our echo application and to npm's servers; the answers must
// be the same, but for the rows of differences.mjs, which say what ours answers instead and why.
//
//   node differential.mjs [PATTERN]     only scenarios whose name holds PATTERN; VERBOSE=1 shows answers
//
// Prints TAP and a last line `N passed, N failed, N skipped`; exits 0 if nothing failed.
import { existsSync } from "node:fs";
import { deliberate, differenceNames } from "./differences.mjs";
import { httpScenarios } from "./scenarios/http.mjs";
import { packetScenarios } from "./scenarios/packets.mjs";
import { recoveryScenarios } from "./scenarios/recovery.mjs";
import { transportScenarios } from "./scenarios/transport.mjs";
import { echoBinary, startEcho, startReference, stop } from "./servers.mjs";

const AT_ONCE = 6;

// Secrets of each side get names in the order in which they show up.
function normal(transcript) {
  const lines = transcript.map(String);
  const ids = new Set(lines.flatMap((line) => [...line.matchAll(/"[sp]id":"([^"]+)"/g)].map((found) => found[1])));
  return [...ids].reduce((all, id, i) => all.map((line) => line.replaceAll(id, `<id${i + 1}>`)), lines);
}

async function transcriptOf(scenario, server) {
  try {
    return normal(await scenario.run(server.port));
  } catch (e) {
    return [`threw: ${e.message}`];
  }
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

function judge(scenario, ours, theirs) {
  const row = deliberate(scenario.name);
  if (!row) return { passed: same(ours, theirs) };
  if (same(ours, theirs) && !row.often) return { passed: false, why: "listed as different, but it is the same" };
  return { passed: row.matches(ours), note: row.reason };
}

let count = 0;
const sums = { passed: 0, failed: 0, skipped: 0 };

function report(name, { passed, note, why }, ours, theirs) {
  count++;
  sums[passed ? "passed" : "failed"]++;
  console.log(`${passed ? "ok" : "not ok"} ${count} - ${name}${note ? ` # differs: ${note}` : ""}`);
  if (passed && !process.env.VERBOSE) return;
  if (why) console.log(`#   ${why}`);
  if (ours) console.log(`#   ours:      ${JSON.stringify(ours)}\n#   reference: ${JSON.stringify(theirs)}`);
}

// The reference handles a packet a tick after it came, so on a busy machine what it says may depend on
// luck: it is asked again before the answers count as different. Ours is asked again only where a
// scenario is about time, which the machine may have kept from the client.
async function runOne(scenario, echo, reference) {
  const both = [transcriptOf(scenario, echo), transcriptOf(scenario, reference)];
  let ours = await both[0], theirs = await both[1];
  for (let again = 0; again < 2 && !judge(scenario, ours, theirs).passed; again++) {
    theirs = await transcriptOf(scenario, reference);
    if (scenario.name.startsWith("time: ")) ours = await transcriptOf(scenario, echo);
  }
  report(scenario.name, judge(scenario, ours, theirs), ours, theirs);
}

async function runMode(mode, scenarios) {
  const [echo, reference] = await Promise.all([startEcho(mode), startReference(mode)]);
  const queue = scenarios.filter((scenario) => !scenario.alone);
  const work = async () => { for (let next; (next = queue.shift());) await runOne(next, echo, reference); };

  await Promise.all(Array.from({ length: AT_ONCE }, work));
  for (const scenario of scenarios.filter((one) => one.alone)) await runOne(scenario, echo, reference);
  if (reference.exit !== null) report(`reference ${mode} lived to the end`, { passed: false, why: reference.errors });
  await stop(reference);
  const exit = await stop(echo);
  report(`echo ${mode} ends cleanly`, { passed: exit === 0 && echo.errors === "", why: `exit ${exit}: ${echo.errors}` });
}

if (!existsSync(echoBinary())) {
  console.error(`differential: ${echoBinary()} is not there: build it with make`);
  process.exit(1);
}
const wanted = process.argv[2] ?? "";
const all = [...httpScenarios, ...packetScenarios, ...transportScenarios, ...recoveryScenarios];
const names = new Set(all.map((scenario) => scenario.name));
if (names.size !== all.length) throw new Error("two scenarios of one name");
for (const name of differenceNames) if (!names.has(name)) throw new Error(`no scenario of the name ${name}`);
const chosen = all.filter((scenario) => scenario.name.includes(wanted));
for (const mode of new Set(chosen.map((scenario) => scenario.mode))) {
  await runMode(mode, chosen.filter((scenario) => scenario.mode === mode));
}
console.log(`1..${count}`);
console.log(`${sums.passed} passed, ${sums.failed} failed, ${sums.skipped} skipped`);
process.exit(sums.failed === 0 ? 0 : 1);
