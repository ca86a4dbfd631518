// venv.mjs - Python with the packages of a requirements.txt, kept outside of the checkout so that
// a clean clone is quick the second time.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";

const exec = promisify(execFile);

/** Where things that tests build once are kept. */
export const cache = path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), ".cache"), "taskwire");

/** Make it ready in `folder`: {python} (a program), or {reason} where this machine has no Python. */
export async function venv(folder, requirements) {
  const has = await exec("python3", ["-c", "import venv, ensurepip"]).then(() => true, () => false);
  if (!has) return { reason: "no python3 with venv here" };
  const python = path.join(folder, "bin/python");
  if (!existsSync(path.join(folder, "ready"))) {
    await mkdir(folder, { recursive: true });
    await exec("python3", ["-m", "venv", folder]);
    await exec(python, ["-m", "pip", "install", "-q", "-r", requirements], { timeout: 300_000 });
    await writeFile(path.join(folder, "ready"), "");
  }
  return { python };
}
