// Lists what of other people is in the build, with the text of each licence: THIRD-PARTY.txt.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";

interface Package {
  name: string;
  version: string;
  license: string;
  text: string;
}

export function licences(): Plugin {
  return {
    name: "fastflv-licences",
    apply: "build",
    generateBundle(_options, bundle) {
      const found = new Map<string, Package>();
      for (const file of Object.values(bundle)) {
        if (file.type !== "chunk") continue;
        for (const id of file.moduleIds) {
          for (const each of packagesOf(id)) found.set(each.name, each);
        }
      }
      const sorted = [...found.values()].sort((one, other) => one.name.localeCompare(other.name));
      const unknown = sorted.filter((each) => !each.license || !each.text);
      if (unknown.length) this.error(`no licence is known of ${unknown.map((each) => each.name).join(", ")}`);
      const head = "The pages of fastflv contain these packages of npm.\n";
      const source = [head, ...sorted.map((each) => `${each.name} ${each.version} (${each.license})\n\n${each.text.trim()}\n`)];
      this.emitFile({ type: "asset", fileName: "THIRD-PARTY.txt", source: source.join(`\n${"-".repeat(78)}\n\n`) });
    },
  };
}

// The package of a module, and what its bundle says that it contains.
function packagesOf(id: string): Package[] {
  const path = id.replace(/^\0/, "").split("?")[0] ?? "";
  const at = path.lastIndexOf("node_modules/");
  if (at < 0) return [];
  const root = path.slice(0, at) + "node_modules";
  const name = path.slice(at + "node_modules/".length).match(/^(@[^/]+\/)?[^/]+/)?.[0] ?? "";
  const own = read(join(root, name));
  // mpegts.js is published as one file that has its dependencies within.
  const bundled = name === "mpegts.js" ? ["es6-promise", "events"].map((each) => read(join(root, each))) : [];
  return [own, ...bundled].filter((each): each is Package => each !== null);
}

function read(folder: string): Package | null {
  const path = join(folder, "package.json");
  if (!existsSync(path)) return null;
  const { name, version, license } = JSON.parse(readFileSync(path, "utf8")) as Record<string, string>;
  const file = readdirSync(dirname(path)).find((each) => /^(licen[cs]e|copying)/i.test(each));
  const text = file ? readFileSync(join(folder, file), "utf8") : "";
  return { name: name ?? "", version: version ?? "", license: license ?? "", text };
}
