// Each stream in the player, with its sound on: `node codecs.mjs ORIGIN NAME ...`.
import { open, run, videos } from "./browser.mjs";

const [origin, ...names] = process.argv.slice(2);

await run(async () => {
  const found = {};
  for (const name of names) {
    const page = await open([origin]);
    await page.addInitScript(() => {
      // What the page decodes itself it hands to nodes like these.
      globalThis.heard = 0;
      const { start } = AudioBufferSourceNode.prototype;
      AudioBufferSourceNode.prototype.start = function (at) {
        globalThis.heard += this.buffer.getChannelData(0).some((sample) => Math.abs(sample) > 0.01) ? this.buffer.duration : 0;
        return start.call(this, at);
      };
    });
    const way = name.includes(":") ? `&way=${name.split(":")[1]}` : "";
    await page.goto(`${origin}/players/?stream=live/${name.split(":")[0]}${way}`);
    const looked = page.waitForFunction(
      () => {
        if (document.querySelector(".said.over")) return "over";
        const video = document.querySelector("video");
        return (video?.currentTime > 1 || document.querySelector(".soundonly")) && document.querySelector(".controls.idle") ? "plays" : false;
      },
      null,
      { timeout: 20_000 },
    );
    const state = await looked.catch(async () => ({ jsonValue: async () => `hangs: ${await page.locator(".stage").innerText()}` }));
    const plays = (await state.jsonValue()) === "plays";
    if (plays) {
      // The button is away while a busy machine has the player wait for media, and for good where there is no sound.
      if (name !== "video_only") await page.locator(".unmute").click();
      await page.waitForTimeout(3500);
    }
    found[name] = {
      plays,
      ...(await videos(page))[0],
      heard: await page.evaluate(() => globalThis.heard),
      decoded: await page.evaluate(() => document.querySelector("video").webkitAudioDecodedByteCount),
      said: await page.locator(".said").innerText(),
      lacking: await page.locator(".lacking").allInnerTexts(),
      sound: await page.locator(".soundonly").count(),
      unmute: await page.locator(".unmute").count(),
      text: await page.locator(".measured").innerText(),
      buttons: await page.locator(".said button").allInnerTexts(),
      errors: page.seen.errors,
    };
    await page.context().close();
  }
  return found;
});
