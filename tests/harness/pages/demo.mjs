// The root page and the player of a server with one stream: `node demo.mjs ORIGIN`.
import { firstPicture, open, playing, run, videos } from "./browser.mjs";

const [origin] = process.argv.slice(2);

await run(async () => {
  const page = await open([origin]);
  await page.goto(`${origin}/`);
  await playing(page);
  const root = (await videos(page))[0];
  await page.click("text=Open in the player");
  await page.waitForURL(/players/);
  await playing(page);
  const player = (await videos(page))[0];
  const first = await firstPicture(page);
  const text = await page.locator(".measured").innerText();
  return { root, player, first, text, seen: page.seen };
});
