// vite.config.ts - how the page is built, and where its unit tests run.
//
// The gateway serves what lies in the output folder from memory: everything under /assets/ is
// named by its contents and kept for ever, and each text has its gzip and brotli form beside
// it, made here once instead of per request.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { build, type Plugin } from "vite";
import { defineConfig } from "vitest/config";

const out = path.resolve(import.meta.dirname, "../../build/web/dist");
const proto = path.resolve(import.meta.dirname, "../../build/web/proto");
const texts = /\.(?:js|css|html|svg|json|webmanifest)$/;

/** sw.js (src/offline/worker.ts), which must name the files that were built just now. */
async function buildWorker(): Promise<void> {
  const assets = readdirSync(path.join(out, "assets")).filter((name) => /\.(?:js|css)$/.test(name)).sort();
  await build({
    configFile: false,
    publicDir: false,
    logLevel: "warn",
    define: { ASSETS: JSON.stringify(assets.map((name) => `/assets/${name}`)) },
    build: {
      outDir: out, emptyOutDir: false, target: "es2023", reportCompressedSize: false,
      lib: { entry: path.resolve(import.meta.dirname, "src/offline/worker.ts"), formats: ["iife"], name: "worker", fileName: () => "sw.js" },
    },
  });
}

function compress(): void {
  for (const name of readdirSync(out, { recursive: true, encoding: "utf8" })) {
    const file = path.join(out, name);
    if (!texts.test(name)) continue;
    const bytes = readFileSync(file);
    if (bytes.length < 1024) continue;
    writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }));
    writeFileSync(`${file}.br`, brotliCompressSync(bytes, {
      params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
    }));
  }
}

function finish(): Plugin {
  return {
    name: "finish",
    apply: "build",
    async closeBundle() {
      await buildWorker();
      compress();
    },
  };
}

export default defineConfig({
  plugins: [react(), finish()],
  resolve: { alias: { "@proto": proto } },
  build: {
    outDir: out,
    emptyOutDir: true,
    target: "es2023",
    assetsInlineLimit: 0, // the page's policy allows no inline scripts, and data: for images alone
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    proxy: {
      "/api": "http://127.0.0.1:3000",
      "/dev": "http://127.0.0.1:3000",
      "/socket.io": { target: "http://127.0.0.1:3000", ws: true },
    },
  },
  test: {
    projects: [
      { extends: true, test: { name: "model", environment: "node", include: ["tests/model/**/*.test.ts"] } },
      {
        extends: true,
        test: {
          name: "page", environment: "jsdom", include: ["tests/page/**/*.test.{ts,tsx}"], setupFiles: ["tests/page/setup.ts"],
          unstubGlobals: true,
        },
      },
    ],
  },
});
