// A page of a real Chromium, which may ask the server under test alone, and what tests look at in it.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.FASTFLV_PACKAGES}/`);
const { chromium } = require("playwright-core");
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const launched = await chromium.launch({
  executablePath: process.env.FASTFLV_CHROMIUM,
  // A page of another site may have a frame of this machine: its address stands for a public one.
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio", "--disable-features=LocalNetworkAccessChecks"],
});

/** Open pages with *use*; print what it returns. */
export async function run(use) {
  try {
    console.log(JSON.stringify(await use()));
  } finally {
    await launched.close();
  }
}

/** A page that has its faults and its requests to others in `page.seen`. *origins*: whom it may ask. */
export async function open(origins, options = {}) {
  // A policy does not stop what the test itself adds to the page, so it is not bypassed.
  const context = await launched.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.seen = { errors: [], foreign: [], sockets: 0 };
  await context.route(
    (url) => !origins.includes(url.origin) && !["blob:", "data:"].includes(url.protocol),
    (route) => {
      page.seen.foreign.push(route.request().url());
      return route.abort();
    },
  );
  await page.addInitScript(() => {
    const look = () => {
      const video = document.querySelector("video");
      if (!video) requestAnimationFrame(look);
      else video.requestVideoFrameCallback((now) => (globalThis.firstPicture = now));
    };
    look();
  });
  page.on("pageerror", (error) => page.seen.errors.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error" && !/Failed to load resource/.test(message.text())) page.seen.errors.push(message.text());
  });
  page.on("websocket", () => {
    page.seen.sockets += 1;
  });
  return page;
}

/** A session of the DevTools protocol with the browser itself. */
export function browserSession() {
  return launched.newBrowserCDPSession();
}

/** What each media element of the page plays. */
export function videos(page) {
  return page.evaluate(() =>
    [...document.querySelectorAll("video")].map((video) => {
      const { buffered, currentTime } = video;
      const quality = video.getVideoPlaybackQuality();
      const ahead = buffered.length ? buffered.end(buffered.length - 1) - currentTime : 0;
      return { time: currentTime, ahead, frames: quality.totalVideoFrames - quality.droppedVideoFrames, width: video.videoWidth, muted: video.muted };
    }),
  );
}

/** Wait until *count* media elements have played for *seconds*, and show pictures. */
export async function playing(page, count = 1, seconds = 1, timeout = 60_000) {
  await page.waitForFunction(
    ([count, seconds]) => {
      const all = [...document.querySelectorAll("video")];
      const played = (video) => [...Array(video.played.length).keys()].reduce((sum, at) => sum + video.played.end(at) - video.played.start(at), 0);
      return all.length >= count && all.every((video) => played(video) >= seconds);
    },
    [count, seconds],
    { timeout },
  );
}

/** From the navigation to the first picture on the screen, ms. */
export async function firstPicture(page) {
  const found = await page.waitForFunction(() => globalThis.firstPicture);
  return found.jsonValue();
}

/** Serious faults that axe-core finds, as sentences. */
export async function faults(page) {
  await page.evaluate(AXE);
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return found.violations
    .filter((each) => ["serious", "critical"].includes(each.impact))
    .map((each) => `${each.id}: ${each.help}: ${each.nodes.map((node) => node.html.slice(0, 120)).join(" | ")}`);
}
