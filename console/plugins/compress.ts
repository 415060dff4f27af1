// Writes each text file of the build as Brotli and gzip too, so that the server compresses nothing.
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import type { Plugin } from "vite";

const TEXT = /\.(js|css|html|svg|json|txt|webmanifest)$/;
// Below this the head of the answer outweighs what is saved, bytes.
const LEAST = 512;

export function compress(): Plugin {
  return {
    name: "fastflv-compress",
    apply: "build",
    enforce: "post",
    generateBundle: {
      order: "post",
      async handler(_options, bundle) {
        const jobs = Object.values(bundle).map(async (file) => {
          const body = Buffer.from(file.type === "chunk" ? file.code : file.source);
          if (!TEXT.test(file.fileName) || body.length < LEAST) return;
          const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: body.length } };
          const made = {
            br: await promisify(brotliCompress)(body, quality),
            gz: await promisify(gzip)(body, { level: 9 }),
          };
          for (const [ending, source] of Object.entries(made)) {
            if (source.length < body.length) this.emitFile({ type: "asset", fileName: `${file.fileName}.${ending}`, source });
          }
        });
        await Promise.all(jobs);
      },
    },
  };
}
