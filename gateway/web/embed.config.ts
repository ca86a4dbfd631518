// embed.config.ts - the hooks for another React application, as a package (`make embed`). What
// that application has itself, and once only, stays outside.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { defineConfig, type Plugin } from "vite";

const out = path.resolve(import.meta.dirname, "../../build/web/embed");
const own = JSON.parse(readFileSync(path.join(import.meta.dirname, "package.json"), "utf8")) as { dependencies: Record<string, string> };
const OUTSIDE = ["react", "react-dom", "@tanstack/react-query", "socket.io-client", "idb"];

/** The types of the wire lie outside of the sources' folder; in the package they lie inside. */
function mendTypes(): void {
  const types = path.join(out, "types");
  for (const name of readdirSync(types, { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".d.ts")) continue;
    const file = path.join(types, name);
    const events = path.relative(path.dirname(file), path.join(types, "build/web/proto/events.js"));
    writeFileSync(file, readFileSync(file, "utf8").replaceAll("@proto/events", events));
  }
}

/** The package's own package.json, beside the types that tsc has laid there. */
function describe(): Plugin {
  return {
    name: "describe",
    closeBundle() {
      const range = (name: string): [string, string] => [name, `^${own.dependencies[name]}`];
      const manifest = {
        name: "taskwire-react", version: "1.0.0", type: "module", sideEffects: false,
        exports: { types: "./types/gateway/web/src/embed.d.ts", default: "./taskwire.js" },
        peerDependencies: Object.fromEntries(["react", "react-dom"].map(range)),
        dependencies: Object.fromEntries(OUTSIDE.slice(2).map(range)),
      };
      writeFileSync(path.join(out, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
      mendTypes();
    },
  };
}

export default defineConfig({
  plugins: [describe()],
  publicDir: false,
  resolve: { alias: { "@proto": path.resolve(import.meta.dirname, "../../build/web/proto") } },
  build: {
    outDir: out,
    emptyOutDir: false,
    target: "es2023",
    lib: { entry: "src/embed.ts", formats: ["es"], fileName: "taskwire" },
    rolldownOptions: { external: (id) => OUTSIDE.some((name) => id === name || id.startsWith(`${name}/`)) },
  },
});
