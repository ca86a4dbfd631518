// vite.config.ts - how the page is built, and where its unit tests run.
//
// The gateway serves what lies in the output folder from memory: everything under /assets/ is
// named by its contents and kept for ever, and each text has its gzip and brotli form beside
// it, made here once instead of per request.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const out = path.resolve(import.meta.dirname, "../../build/web/dist");
const proto = path.resolve(import.meta.dirname, "../../build/web/proto");
const texts = /\.(?:js|css|html|svg|json|webmanifest)$/;

function compress(): Plugin {
  return {
    name: "compress",
    apply: "build",
    closeBundle() {
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
    },
  };
}

export default defineConfig({
  plugins: [react(), compress()],
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
