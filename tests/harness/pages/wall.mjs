// A wall of COUNT streams: `node wall.mjs ORIGIN COLUMNS COUNT`.
import { faults, open, playing, run, videos } from "./browser.mjs";

const [origin, columns, count] = process.argv.slice(2);

await run(async () => {
  const page = await open([origin], { ignoreHTTPSErrors: true });
  await page.goto(`${origin}/players/?wall=${columns}`);
  await playing(page, Number(count), 2, 100_000);
  const before = await videos(page);
  await page.waitForTimeout(4000);
  return { before, after: await videos(page), faults: await faults(page), seen: page.seen };
});
