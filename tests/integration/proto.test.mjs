// What protogen prints for others: complete, consistent, and the same every time.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { build, root } from "./harness.mjs";

const folders = [];

/** Run protogen into a folder of its own; gives name -> text. */
function generate() {
  const folder = mkdtempSync(path.join(os.tmpdir(), "taskwire-proto-"));
  folders.push(folder);
  execFileSync(path.join(build, "bin/protogen"), [folder]);
  const files = new Map();
  for (const name of readdirSync(folder, { recursive: true }).sort()) {
    if (/\.\w+$/.test(name)) files.set(name, readFileSync(path.join(folder, name), "utf8"));
  }
  return files;
}

after(() => folders.forEach((folder) => rmSync(folder, { recursive: true })));

/** The wire names that the rows themselves give a kind of shape. */
function wireNames(kind) {
  const rows = ["events.def", "data.def"].map((f) => readFileSync(path.join(root, "proto", f), "utf8")).join("\n");
  return [...rows.matchAll(/^SHAPE\((\w+), "([^"]+)", (\w+),/gm)].filter((m) => m[3] === kind).map((m) => m[2]);
}

test("the same rows give the same bytes", () => {
  assert.deepEqual(generate(), generate());
});

test("every event has a schema, a type and a row in the tables", () => {
  const files = generate();
  const types = files.get("events.ts");
  const tables = files.get("tables.md");
  const names = [...wireNames("UP"), ...wireNames("DOWN")];
  assert.ok(names.length >= 30);
  for (const name of names) {
    const schema = JSON.parse(files.get(`schemas/${name.replaceAll(":", ".")}.json`));
    assert.equal(schema.$schema, "https://json-schema.org/draft/2020-12/schema");
    assert.equal(schema.title, name);
    for (const field of schema.required) assert.ok(schema.properties[field], `${name}: ${field}`);
    assert.ok(types.includes(`  "${name}": (payload: `), name);
    assert.ok(tables.includes(`| \`${name}\` | `), name);
  }
  for (const name of wireNames("DATA")) assert.equal(JSON.parse(files.get(`schemas/data.${name}.json`)).title, name);
});

test("the examples of websocket.md are what the registry says", () => {
  const files = generate();
  const page = readFileSync(path.join(root, "proto/websocket.md"), "utf8");
  const examples = [...page.matchAll(/^[←→] 42\d*(\[.*\])$/gm)].map((m) => m[1]).filter((text) => !text.includes("{…}") && !text.includes(",…"));
  assert.ok(examples.length >= 12);
  for (const example of examples) {
    const [name, payload, offset] = JSON.parse(example);
    const schema = JSON.parse(files.get(`schemas/${name.replaceAll(":", ".")}.json`));
    for (const field of schema.required) assert.ok(field in payload, `${name}: ${field}`);
    for (const field of Object.keys(payload)) assert.ok(schema.properties[field], `${name}: ${field}`);
    assert.ok(offset === undefined || /^\d+-\d+\.\d+$/.test(offset), offset);
  }
});

test("every reference of asyncapi.yaml leads somewhere", () => {
  const text = generate().get("asyncapi.yaml");
  const lines = text.split("\n").filter((line) => line && !line.startsWith("#"));
  // Enough of YAML for what protogen prints: two blanks per level, `key:` or `key: scalar`.
  const places = new Set();
  const stack = [];
  for (const line of lines) {
    const m = /^( *)(?:"([^"]+)"|(\w+)):/.exec(line);
    if (!m) continue;
    stack.length = m[1].length / 2;
    stack.push(m[2] ?? m[3]);
    places.add(`#/${stack.join("/")}`);
  }
  const references = [...text.matchAll(/"\$ref": "([^"]+)"/g)].map((m) => m[1]);
  assert.ok(references.length > 80);
  for (const reference of references) assert.ok(places.has(reference), reference);
});

test("types of TypeScript name nothing that is not there", () => {
  const types = generate().get("events.ts");
  const defined = new Set([...types.matchAll(/^export (?:interface|type|const) (\w+)/gm)].map((m) => m[1]));
  const used = [...types.matchAll(/\b([A-Z]\w*(?:Payload|Data|Answer|Events?))\b/g)].map((m) => m[1]);
  for (const name of used) assert.ok(defined.has(name), name);
  assert.equal(defined.size, [...types.matchAll(/^export (?:interface|type|const) /gm)].length, "a name is there twice");
});
