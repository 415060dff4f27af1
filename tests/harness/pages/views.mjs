// Every view of the pages, dark and light, on a desktop and a phone: faults, overflow, and pictures.
// `node views.mjs ORIGIN STREAM [FOLDER]`
import { faults, open, playing, run } from "./browser.mjs";

const [origin, stream, folder] = process.argv.slice(2);
const DESKTOP = { viewport: { width: 1280, height: 800 } };
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
const VIEWS = {
  root: ["/", DESKTOP, "dark"],
  "root-light": ["/", DESKTOP, "light"],
  "root-phone": ["/", PHONE, "light"],
  player: [`/players/?stream=${stream}`, DESKTOP, "dark"],
  "player-light": [`/players/?stream=${stream}`, DESKTOP, "light"],
  "player-phone": [`/players/?stream=${stream}`, PHONE, "dark"],
  wall: ["/players/?wall=3", DESKTOP, "dark"],
  "wall-phone": ["/players/?wall=3", PHONE, "dark"],
  embed: [`/players/?stream=${stream}&embed=1`, DESKTOP, "dark"],
  absent: ["/players/?stream=live/nobody", DESKTOP, "dark"],
};

await run(async () => {
  const found = {};
  for (const [name, [path, device, colorScheme]] of Object.entries(VIEWS)) {
    const page = await open([origin], { ...device, colorScheme });
    await page.goto(origin + path);
    if (name === "absent") await page.waitForSelector(".said.waiting");
    else await playing(page, 1, 1.5);
    if (folder) {
      // Charts need some seconds.
      await page.waitForTimeout(name.startsWith("player") ? 20_000 : 3000);
      await page.screenshot({ path: `${folder}/${name}.jpg`, type: "jpeg", quality: 86 });
    }
    found[name] = {
      faults: await faults(page),
      wide: await page.evaluate(() => document.documentElement.scrollWidth - innerWidth),
      errors: page.seen.errors,
      foreign: page.seen.foreign,
    };
    await page.context().close();
  }
  return found;
});
