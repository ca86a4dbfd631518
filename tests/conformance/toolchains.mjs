// toolchains.mjs - makes the client programs of each language ready, or says why not.
//
// What is built is cached outside of the checkout by the hash of its manifest, so that a
// clean clone is quick the second time.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { cache, venv } from "../venv.mjs";

const exec = promisify(execFile);
const here = path.join(path.dirname(fileURLToPath(import.meta.url)), "clients");

async function folderFor(language, ...manifests) {
  const hash = createHash("sha256");
  for (const m of manifests) hash.update(await readFile(path.join(here, m)));
  const folder = path.join(cache, "conformance", `${language}-${hash.digest("hex").slice(0, 12)}`);
  await mkdir(folder, { recursive: true });
  return folder;
}

async function has(program, ...args) {
  return exec(program, args).then(() => true, () => false);
}

async function python() {
  const folder = await folderFor("python", "python/requirements.txt");
  const { python: program, reason } = await venv(folder, path.join(here, "python/requirements.txt"));
  if (reason) return { reason };
  return {
    "python-socketio sync": [program, path.join(here, "python/sync_client.py")],
    "python-socketio async": [program, path.join(here, "python/async_client.py")],
  };
}

async function java() {
  if (!await has("mvn", "--version") || !await has("javac", "--version")) return { reason: "no JDK with Maven here" };
  const folder = await folderFor("java", "java/pom.xml", "java/src/main/java/Client.java");
  if (!existsSync(path.join(folder, "lib"))) {
    await exec("mvn", ["-q", "-B", `-Dbuild.folder=${folder}`, "package"], { cwd: path.join(here, "java"), timeout: 600_000 });
  }
  return { "Java client": ["java", "-cp", `${folder}/lib/*:${folder}/classes`, "Client"] };
}

async function rust() {
  if (!await has("cargo", "--version")) return { reason: "no cargo here" };
  const folder = await folderFor("rust", "rust/Cargo.toml", "rust/src/main.rs");
  const program = path.join(folder, "debug/conformance-client");
  if (!existsSync(program)) {
    await exec("cargo", ["build", "-q", "--target-dir", folder], { cwd: path.join(here, "rust"), timeout: 900_000 });
  }
  return { rust_socketio: [program] };
}

function javascript() {
  const program = [process.execPath, path.join(here, "js/client.mjs")];
  return {
    "socket.io-client 4.8": ["env", "PACKAGE=socket.io-client", ...program],
    "socket.io-client 3.1": ["env", "PACKAGE=socket.io-client-3", ...program],
  };
}

/** {clients: {name: argv}, skipped: [{name, reason}]}. */
export async function toolchains() {
  const clients = { ...javascript() }, skipped = [];
  for (const [name, make] of Object.entries({ python, java, rust })) {
    const made = await make().catch((error) => ({ reason: `could not be built: ${String(error.stderr || error).slice(0, 300)}` }));
    if (made.reason) skipped.push({ name: `${name} clients`, reason: made.reason });
    else Object.assign(clients, made);
  }
  return { clients, skipped };
}
