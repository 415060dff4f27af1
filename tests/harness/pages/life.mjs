// What the player says of ends, and how it comes back: `node life.mjs ORIGIN API NAME`. The publisher of the stream comes back by itself.
import { open, playing, run, videos } from "./browser.mjs";

const [origin, api, name] = process.argv.slice(2);

async function ask(path, method = "GET") {
  return (await fetch(`${api}/api/v1/${path}`, { method })).json();
}

await run(async () => {
  const page = await open([origin]);
  const said = page.locator(".said");
  await page.goto(`${origin}/players/?stream=live/${name}`);
  await playing(page);

  const kick = async () => {
    const { clients } = await ask("clients?count=100");
    for (const each of clients.filter((client) => !client.publish)) await ask(`clients/${each.id}`, "DELETE");
  };
  await kick();
  await page.waitForSelector(".said.over");
  const kicked = await said.innerText();
  await page.click("text=Try again");
  await playing(page, 1, 0.5);

  const { streams } = await ask("streams?count=100");
  await ask(`streams/${streams.find((each) => each.name === name).id}/publisher`, "DELETE");
  await page.waitForSelector(".said.waiting");
  const ended = await said.innerText();
  await page.waitForSelector(".controls.idle", { timeout: 40_000 });
  await playing(page, 1, 0.5);
  const back = (await videos(page))[0];
  const reconnects = await page.locator(".measured").innerText();

  // By the keyboard, then by an address that is pasted.
  await page.locator("body").press("k");
  await page.waitForSelector(".big");
  // A player that is paused leaves the stream after a while.
  const players = async () => (await ask("clients?count=100")).clients.filter((client) => !client.publish).length;
  while ((await players()) > 0) await page.waitForTimeout(500);
  await page.locator("body").press("k");
  await page.waitForSelector(".controls.idle");
  await page.locator("body").press("m");
  const heard = (await videos(page))[0].muted;
  await page.fill("#address", `${origin}/live/${name}.flv`);
  await page.press("#address", "Enter");
  await page.waitForURL(/url=/);
  await playing(page, 1, 0.5);
  const pasted = { url: page.url(), way: await page.locator(".ways [aria-pressed=true]").innerText() };
  await page.goBack();
  await page.waitForURL(/stream=/);

  // In a frame of a page of another site.
  const embed = await page.locator(".share code").nth(1).innerText();
  const other = await open([origin, "http://other.example"]);
  await other.route("http://other.example/", (route) => route.fulfill({ contentType: "text/html", body: embed }));
  await other.goto("http://other.example/");
  const frame = await (await other.waitForSelector("iframe")).contentFrame();
  await frame.waitForFunction(() => document.querySelector("video")?.currentTime > 0.5);
  const framed = await frame.locator("header").count();
  return { kicked, ended, back, reconnects, heard, pasted, framed, seen: page.seen };
});
