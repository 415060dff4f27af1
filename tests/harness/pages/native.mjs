// The player on a phone whose browser has no Media Source Extensions, as iPhones of before iOS 17: `node native.mjs ORIGIN STREAM`.
import { faults, open, run, videos } from "./browser.mjs";

const [origin, stream] = process.argv.slice(2);

await run(async () => {
  const page = await open([origin], { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
  await page.addInitScript(() => {
    for (const name of ["MediaSource", "ManagedMediaSource", "WebKitMediaSource"]) delete globalThis[name];
  });
  await page.goto(`${origin}/players/?stream=${stream}`);
  const can = await page.evaluate(() => document.createElement("video").canPlayType("application/vnd.apple.mpegurl"));
  if (!can) return { can };
  await page.waitForFunction(() => document.querySelector("video")?.currentTime > 1 && document.querySelector(".controls.idle"));
  const [before] = await videos(page);
  await page.waitForFunction((time) => document.querySelector("video").currentTime > time + 1, before.time);
  return {
    can,
    ...(await videos(page))[0],
    decoded: await page.evaluate(() => document.querySelector("video").webkitAudioDecodedByteCount),
    way: await page.locator(".ways [aria-pressed=true]").innerText(),
    lacking: await page.locator(".lacking").allInnerTexts(),
    wide: await page.evaluate(() => document.documentElement.scrollWidth - innerWidth),
    faults: await faults(page),
    seen: page.seen,
  };
});
