// A page that is left open: `node soak.mjs URL MINUTES`. Memory after a collection, and how far behind it plays, each minute or oftener.
import { readFileSync } from "node:fs";
import { browserSession, open, playing, run, videos } from "./browser.mjs";

const [url, minutes] = process.argv.slice(2);
const { origin } = new URL(url);
const PERIOD_MS = Number(minutes) > 10 ? 60_000 : 15_000;

// Resident memory of the processes that play, MB.
async function resident(session) {
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const pages = processInfo.filter((each) => each.type === "renderer").map((each) => Number(readFileSync(`/proc/${each.id}/statm`, "utf8").split(" ")[1]));
  return Math.round((pages.reduce((sum, each) => sum + each, 0) * 4096) / 1e6);
}

await run(async () => {
  const page = await open([origin]);
  const session = await browserSession();
  const own = await page.context().newCDPSession(page);
  await page.addInitScript(() => {
    globalThis.stalls = 0;
    // It does not bubble, but is captured.
    document.addEventListener("waiting", () => (globalThis.stalls += 1), true);
  });
  await page.goto(url);
  await playing(page);
  const rows = [];
  const begun = performance.now();
  while (performance.now() - begun < Number(minutes) * 60_000) {
    await page.waitForTimeout(PERIOD_MS);
    await own.send("HeapProfiler.collectGarbage");
    const { usedSize } = await own.send("Runtime.getHeapUsage");
    const [video] = await videos(page);
    const seconds = Math.round((performance.now() - begun) / 1000);
    const [elements, stalls] = await page.evaluate(() => [document.getElementsByTagName("*").length, globalThis.stalls]);
    rows.push({ seconds, heap: Math.round(usedSize / 1e4) / 100, resident: await resident(session), elements, stalls, ahead: video.ahead, time: video.time });
    console.log(JSON.stringify(rows.at(-1)));
  }
  return { rows, seen: page.seen };
});
