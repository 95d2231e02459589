// Opens a page in Chromium and does what is asked: node look.mjs CHROMIUM STEPS.json
// Prints what each step found as JSON. NODE_PATH or the working directory has playwright-core.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(process.cwd() + "/");
const patience = 300000; // ms, a net against hangs
const { chromium } = require("playwright-core");
const [, , executablePath, file] = process.argv;
const { url, theme, steps } = JSON.parse(readFileSync(file, "utf8"));

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--headless"], timeout: patience });
const context = await browser.newContext({
  viewport: { width: 1400, height: 900 }, colorScheme: theme,
  permissions: url.startsWith("http") ? ["clipboard-read", "clipboard-write"] : [],
});
const page = await context.newPage();
page.setDefaultTimeout(patience);
const said = [], asked = [];
page.on("console", (message) => said.push(message.text()));
page.on("pageerror", (error) => said.push(String(error)));
page.on("dialog", (dialog) => { said.push("dialog " + dialog.message()); dialog.dismiss(); });
page.on("request", (request) => asked.push(request.url()));
await page.goto(url);

// mouse.wheel() does not wait until the page has had the event.
async function wheel(...args) {
  await page.evaluate(() => {
    const heard = (done) => addEventListener("wheel", () => setTimeout(done), { once: true, passive: true });
    window.wheeled = new Promise(heard);
  });
  await page.mouse.wheel(...args);
  await page.evaluate(() => window.wheeled);
}

const found = [];
for (const [what, ...args] of steps) {
  if (what === "press") found.push(await page.keyboard.press(...args));
  else if (what === "goto") found.push(String((await page.goto(...args)).status()));
  else if (what === "wait") found.push(Boolean(await page.waitForFunction(...args)));
  else if (what === "click") found.push(await page.click(...args));
  else if (what === "hover") found.push(await page.hover(...args));
  else if (what === "fill") found.push(await page.fill(...args));
  else if (what === "select") found.push(await page.selectOption(...args));
  else if (what === "move") found.push(await page.mouse.move(...args));
  else if (what === "wheel") found.push(await wheel(...args));
  else if (what === "shot") found.push(Boolean(await page.screenshot({ path: args[0] })));
  else if (what === "texts") found.push(await page.$$eval(args[0], (all) => all.map((e) => e.innerText)));
  else if (what === "run") found.push(await page.evaluate(args[0]));
  else throw new Error(what);
}
console.log(JSON.stringify({ found, said, asked }));
await browser.close();
