// Drives Chromium by playwright-core: reads one line of JSON a step, runs its code with `page` and `context`, writes one line back.
// Arguments: the folder whose node_modules has playwright-core, the path of Chromium, a folder for its profile, the address of the server.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [project, chromiumPath, profile, host] = process.argv.slice(2);
const { chromium } = createRequire(`${project}/package.json`)("playwright-core");

const context = await chromium.launchPersistentContext(profile, {
  executablePath: chromiumPath,
  headless: true,
  acceptDownloads: true,
  viewport: { width: 1280, height: 800 },
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio", "--autoplay-policy=no-user-gesture-required"],
});
const problems = [];
// The network of the page is the server: whatever goes elsewhere fails, and is told.
await context.route("**/*", (route) => {
  const url = new URL(route.request().url());
  if (url.hostname === host || ["data:", "blob:"].includes(url.protocol)) return route.continue();
  problems.push(`asks for ${url}`);
  return route.abort();
});
const page = context.pages()[0] ?? (await context.newPage());
page.setDefaultTimeout(60_000);
page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
page.on("console", (message) => {
  // Refused requests are told so too, and a test may mean them.
  if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) problems.push(`console: ${message.text()}`);
});
const Step = Object.getPrototypeOf(async () => undefined).constructor;

process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  const { code, args } = JSON.parse(line);
  let answer;
  try {
    const value = await new Step("page", "context", "args", code)(page, context, args);
    answer = { value: value ?? null, problems: problems.splice(0) };
  } catch (error) {
    answer = { failed: String(error?.stack ?? error), problems: problems.splice(0) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await context.close();
