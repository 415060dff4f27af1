// Each `index.html` in this folder, or in one right below, is a page at its own path. `npm run build` writes all of them, with what
// they load, below `fastflv/console`, as the server sends it.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vite";
import { compress } from "./plugins/compress.ts";
import { licences } from "./plugins/licences.ts";

const here = import.meta.dirname;
const folders = ["", ...readdirSync(here).filter((name) => !["node_modules", "src", "plugins"].includes(name))];
const input = folders.map((name) => join(here, name, "index.html")).filter((path) => existsSync(path));

export default defineConfig({
  // Relative, so that the pages also work below a path of a proxy.
  base: "./",
  plugins: [licences(), compress()],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: join(here, "../fastflv/console"),
    emptyOutDir: true,
    assetsDir: "pages",
    assetsInlineLimit: 0,
    target: "es2022",
    // The policy of the pages allows no script but files.
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 800,
    reportCompressedSize: false,
    rolldownOptions: { input },
  },
  server: {
    // `npm run dev` beside a server on its usual ports.
    proxy: { "^/(players/streams.json|live|clip)": "http://127.0.0.1:8080", "/api": "http://127.0.0.1:1985" },
  },
});
