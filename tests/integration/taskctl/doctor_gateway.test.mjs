// doctor_gateway.test.mjs - `taskctl doctor` finds gateways that do not hear, or hang.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import net from "node:net";
import { ask, until } from "../harness.mjs";
import { Clinic, fault } from "./clinic.mjs";

/** A way to Redis that can be told to swallow what Redis sends to subscribers. */
function startMuffler(port) {
  const muffler = { isMute: false };
  const server = net.createServer((client) => {
    const redis = net.connect(port, "127.0.0.1");
    let isSubscriber = false;
    client.on("data", (data) => {
      isSubscriber ||= data.toString("latin1").toUpperCase().includes("SUBSCRIBE");
      redis.write(data);
    });
    redis.on("data", (data) => { if (!(muffler.isMute && isSubscriber)) client.write(data); });
    for (const [a, b] of [[client, redis], [redis, client]]) a.on("close", () => b.destroy()).on("error", () => b.destroy());
  });
  muffler.close = () => new Promise((done) => server.close(done));
  return new Promise((done) => server.listen(0, "127.0.0.1", () => { muffler.url = `redis://127.0.0.1:${server.address().port}`; done(muffler); }));
}

let stack, muffler;
before(async () => {
  stack = await Clinic.open({ gateways: 1 });
  muffler = await startMuffler(stack.redisPort);
  await stack.startGateway({ REDIS_URL: muffler.url });
  for (const gateway of stack.gateways) await ask(await stack.connect({ base: gateway.url }), "dashboard:join", {});
});
after(async () => {
  await stack.stop();
  await muffler.close();
});

test("a silent subscriber is found, by its gateway's id, and forgotten when it hears again", async () => {
  await stack.healthy("acme");
  muffler.isMute = true;
  const deaf = await until("it says so of itself", async () => JSON.parse((await stack.ctl("replicas", "-o", "json")).out).find((r) => r.canaryMs > 3000), { ms: 30_000, every: 200 });
  await stack.createTask();
  for (const report of await Promise.all([stack.doctor(), stack.doctor("acme")])) {
    assert.equal(report.code, 1);
    assert.equal(fault(report, "subscriber-silent").subject, deaf.id);
    assert.match(fault(report, "subscriber-silent").what, /has not heard the canary .* for \d+s/);
  }
  muffler.isMute = false;
  await until("it hears again", async () => JSON.parse((await stack.ctl("replicas", "-o", "json")).out).every((r) => r.canaryMs < 3000), { ms: 20_000, every: 200 });
  await stack.healthy("acme");
});

test("a gateway that hangs is found, too", async () => {
  stack.gateways[0].signal("SIGSTOP");
  const report = await stack.doctor("--wait", "7s");
  stack.gateways[0].signal("SIGCONT");
  fault(report, "gateway-hangs");
  await stack.healthy();
});
