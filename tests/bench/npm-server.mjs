// npm-server.mjs - the reference: npm's socket.io with its Redis adapter.
//   node npm-server.mjs PORT REDIS_URL
import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const [port, url] = process.argv.slice(2);
const pub = createClient({ url }), sub = pub.duplicate();
await Promise.all([pub.connect(), sub.connect()]);
const http = createServer();
const io = new Server(http, { adapter: createAdapter(pub, sub), transports: ["websocket"] });
io.on("connection", (socket) => {
  socket.on("task:join", ({ taskId }, ack) => { socket.join(`task:${taskId}`); ack?.({ ok: true }); });
});
http.listen(Number(port), "127.0.0.1", () => console.log("ready"));
