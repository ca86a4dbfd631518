// crowd.mjs - a process full of watchers: started by a test with fork(), told what to do in messages.
//
//   {start: [{name, token, base, transports, tasks}, ...]}   answers {started: n} when all are connected
//   {report: true}                                           answers {reports: [...]}
//   {stop: true}                                             ends
import { Watcher } from "./watcher.mjs";

const AT_ONCE = 20;                            // connect in batches: a crowd, not a flood
const watchers = [];

async function start(people) {
  for (let at = 0; at < people.length; at += AT_ONCE) {
    const batch = people.slice(at, at + AT_ONCE).map((p) => new Watcher(p));
    watchers.push(...batch);
    await Promise.all(batch.map((w) => w.socket.connected || new Promise((done) => w.socket.once("connect", done))));
  }
  process.send({ started: watchers.length });
}

process.on("message", (message) => {
  if (message.start) start(message.start);
  else if (message.report) process.send({ reports: watchers.map((w) => w.report()) });
  else if (message.stop) {
    for (const w of watchers) w.close();
    process.disconnect();
    setTimeout(() => process.exit(0), 200).unref();
  }
});
process.on("disconnect", () => process.exit(0));
