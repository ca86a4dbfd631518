// terminal.mjs - taskctl as a person runs it: from a pipe, or under a pseudo-terminal.
import { spawn } from "node:child_process";
import path from "node:path";
import { build } from "../harness.mjs";

export const taskctl = path.join(build, "bin/taskctl");

/** The environment of a person without any settings of the surroundings. */
export function bare(env = {}) {
  const { HOME, PATH, LANG, ASAN_OPTIONS, UBSAN_OPTIONS } = process.env;
  return { HOME, PATH, LANG: LANG || "C.UTF-8", TERM: "xterm", ...(ASAN_OPTIONS && { ASAN_OPTIONS }), ...(UBSAN_OPTIONS && { UBSAN_OPTIONS }), ...env };
}

/** Run a program to its end: {code, signal, out, err}. `input` is all of its standard input. */
export function run(argv, { env, input = "", ms = 60_000, onOut } = {}) {
  return new Promise((done, fail) => {
    const child = spawn(argv[0], argv.slice(1), { env: bare(env), stdio: ["pipe", "pipe", "pipe"] });
    const got = { out: "", err: "" };
    const timer = setTimeout(() => { child.kill("SIGKILL"); fail(new Error(`${argv.join(" ")} did not end; it said: ${got.out}${got.err}`)); }, ms);
    child.stdout.setEncoding("utf8").on("data", (d) => { got.out += d; onOut?.(got.out, child); });
    child.stderr.setEncoding("utf8").on("data", (d) => { got.err += d; });
    child.on("error", fail);
    child.on("close", (code, signal) => { clearTimeout(timer); done({ code, signal, ...got }); });
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}

const quote = (word) => `'${String(word).replaceAll("'", "'\\''")}'`;

/** Run taskctl where all three streams are one terminal of that size; `type` is typed into it. Gives
 *  {code, screen}: all that was written, line ends as terminals have them. */
export async function onTerminal(args, { env, columns = 80, rows = 24, type = "", ms, before = "" } = {}) {
  const line = `stty cols ${columns} rows ${rows}; ${before} ${[taskctl, ...args].map(quote).join(" ")}`;
  const { code, out } = await run(["script", "-qec", line, "/dev/null"], { env, input: type, ms });
  return { code, screen: out };
}

/** What is seen of it: without escape sequences, line by line. */
export const seen = (screen) => screen.replaceAll(/\x1b\[[0-9;]*[A-Za-z]/g, "").split(/\r?\n/).filter(Boolean);
