// The pages of a server with one stream: `node demo.mjs ORIGIN API QUERY ...`; what is shared for each query.
import { firstPicture, open, playing, run, videos } from "./browser.mjs";

const [origin, api, ...asked] = process.argv.slice(2);

await run(async () => {
  const page = await open([origin, api]);
  await page.goto(`${origin}/`);
  await playing(page, 1, 0.4);
  const root = (await videos(page))[0];
  await page.click("text=Open in the player");
  await page.waitForURL(/players/);
  await playing(page, 1, 0.4);
  const player = (await videos(page))[0];
  const first = await firstPicture(page);
  const text = await page.locator(".measured").innerText();
  // What the page offers to hand on, of addresses with every kind of proof.
  const shared = [];
  for (const query of asked) {
    await page.evaluate((query) => {
      history.pushState(null, "", `?${query}`);
      dispatchEvent(new PopStateEvent("popstate"));
    }, query.replace("ORIGIN", origin.replace("http://", "ann:word@")));
    await page.evaluate(() => new Promise((shown) => requestAnimationFrame(() => requestAnimationFrame(shown))));
    await page.waitForFunction(() => document.querySelector(".share .left"));
    shared.push(await page.locator(".share").innerText());
  }
  await page.goto(`${api}/console/`);
  await playing(page, 1, 0.4);
  const card = await page.locator(".streamcard").innerText();
  return { root, player, first, text, shared, console: (await videos(page))[0], card, seen: page.seen };
});
