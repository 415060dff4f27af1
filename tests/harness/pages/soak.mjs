// A player that is left open: `node soak.mjs ORIGIN MINUTES`. Memory after a collection, and how far behind it plays, each minute.
import { readFileSync } from "node:fs";
import { browserSession, open, playing, run, videos } from "./browser.mjs";

const [origin, minutes] = process.argv.slice(2);

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
  await page.goto(`${origin}/players/`);
  await playing(page);
  const rows = [];
  for (let minute = 0; minute <= Number(minutes); minute++) {
    await page.waitForTimeout(60_000);
    await own.send("HeapProfiler.collectGarbage");
    const { usedSize } = await own.send("Runtime.getHeapUsage");
    const [video] = await videos(page);
    rows.push({ minute, heap: Math.round(usedSize / 1e4) / 100, resident: await resident(session), ahead: video.ahead, time: video.time });
    console.log(JSON.stringify(rows.at(-1)));
  }
  return { rows, seen: page.seen };
});
