// Tests of the board in examples/web: two people, each in a browser of their own, at two nodes of a
// gateway, so that one can be cut off. CHROMIUM is the browser; SCREENSHOTS, if set, a directory for
// what it showed.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import axe from "axe-core";
import { chromium } from "playwright-core";
import { Gateway, launch, patience, token, until } from "./gateway.mjs";

const web = new URL("../../examples/web", import.meta.url).pathname;
const phone = { viewport: { width: 390, height: 780 }, isMobile: true, hasTouch: true };

let browser, nodes;
let contexts = [];
let board = 0;
let faults = [];

before(async () => {
  const options = ["--www", web, "--catalog", `${web}/catalog.json`];
  nodes = [new Gateway(...options), new Gateway(...options)];
  await Promise.all(nodes.map((node) => node.start()));
  browser = await launch(chromium);
});
after(async () => {
  await browser.close();
  await Promise.all(nodes.map((node) => node.stop()));
});
beforeEach(async () => {
  board++;
  faults = [];
  if (!nodes[0].isRunning) await nodes[0].start();
});
afterEach(async () => {
  for (const context of contexts.splice(0)) await context.close().catch(() => {});
  assert.deepEqual(faults, []);
});

async function page(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 760 }, ...options });
  context.setDefaultTimeout(patience);
  contexts.push(context);
  const made = await context.newPage();
  made.on("pageerror", (error) => faults.push(error.stack));
  made.on("console", (said) => {
    if (said.type() === "error" && !/WebSocket|ERR_/.test(said.text())) faults.push(said.text());
  });
  return made;
}

async function person(user, node = nodes[0], options = {}) {
  const made = await page(options);
  await made.goto(`${node.origin}/#board=b${board}&token=${token(user, { rooms: [] })}`);
  await made.locator("#status[data-state=online]").waitFor();
  return made;
}

const column = (p, name) => p.getByRole("region", { name, exact: true });
const card = (p, title) => p.getByRole("button", { name: title, exact: true });
const grip = (p, title) => p.getByRole("button", { name: `Move ${title}`, exact: true });
const titleOf = (p) => p.getByRole("textbox", { name: "Title", exact: true });
const conflicts = (p) => p.getByRole("region", { name: "Changed by others meanwhile" });

async function add(p, name, ...titles) {
  const add = column(p, name).getByRole("button", { name: "Add a card" });
  if (await add.isVisible()) await add.click();
  const input = column(p, name).getByRole("textbox");
  for (const title of titles) {
    await input.fill(title);
    await input.press("Enter");
    await card(p, title).waitFor();
  }
  await input.press("Escape");
}

async function titles(p, name) {
  return column(p, name).locator(".card .open").allTextContents();
}

function shows(p, name, wanted) {
  return until(
    async () => JSON.stringify(await titles(p, name)) === JSON.stringify(wanted),
    `${name}: ${wanted}`,
  );
}

// All that was done there has been taken by the gateway.
async function isTaken(p) {
  const pending = () => p.evaluate((key) => JSON.parse(localStorage[key]).pending, `collab-board:b${board}`);
  await until(async () => (await pending()).length === 0, "an empty queue");
  await p.getByText("Online", { exact: true }).waitFor();
}

async function rename(p, title, fresh) {
  await card(p, title).click();
  await titleOf(p).fill(fresh);
  await p.getByRole("button", { name: "Close" }).click();
}

async function shoot(p, name) {
  if (process.env.SCREENSHOTS) await p.screenshot({ path: `${process.env.SCREENSHOTS}/${name}.png` });
}

async function isAccessible(p) {
  const { violations } = await p.evaluate(`${axe.source}; axe.run()`);
  const found = violations.map(({ id, nodes: at }) => [id, ...at.map((n) => `${n.html}: ${n.failureSummary}`)]);
  assert.deepEqual(found, []);
}

// --- working together ---

test("what one does the other sees: cards, titles, notes, comments, deletions", async () => {
  const [ann, bob] = [await person("ann"), await person("bob", nodes[1])];
  await add(ann, "To do", "Fence", "Gate");
  await shows(bob, "To do", ["Fence", "Gate"]);

  await card(bob, "Fence").click();
  await titleOf(bob).fill("Fence and posts");
  await bob.getByLabel("Notes").fill("Green.");
  await bob.getByPlaceholder("Write a comment").fill("By Friday?");
  await bob.getByRole("button", { name: "Send" }).click();
  await card(ann, "Fence and posts").click();
  await ann.getByText("By Friday?", { exact: true }).waitFor();
  assert.equal(await ann.getByLabel("Notes").inputValue(), "Green.");
  await ann.getByRole("button", { name: "Delete card" }).click();
  await shows(bob, "To do", ["Gate"]);
  assert.equal(await bob.getByRole("dialog").count(), 0);
  await until(async () => (await bob.locator("#say").textContent()) === "ann deleted Fence and posts");
});

test("a card is dragged to another column, and within one", async () => {
  const [ann, bob] = [await person("ann"), await person("bob", nodes[1])];
  await add(ann, "To do", "One", "Two", "Three");
  await card(ann, "Two").dragTo(column(ann, "Doing").locator(".cards"));
  await shows(bob, "Doing", ["Two"]);
  await shows(bob, "To do", ["One", "Three"]);
  await card(bob, "Three").dragTo(card(bob, "One"), { targetPosition: { x: 40, y: 4 } });
  await shows(ann, "To do", ["Three", "One"]);
  assert.equal(await ann.getByRole("dialog").count(), 0);
});

test("a card is dragged by a finger, at its grip; elsewhere a finger scrolls", async () => {
  const ann = await person("ann", nodes[0], { hasTouch: true });
  await add(ann, "To do", "One", "Two");
  const touch = await ann.context().newCDPSession(ann);
  const at = async (type, x, y) =>
    touch.send("Input.dispatchTouchEvent", { type, touchPoints: type === "touchEnd" ? [] : [{ x, y }] });
  const middle = ({ x, y, width, height }) => [x + width / 2, y + height / 2];
  const drag = async (from, to) => {
    await at("touchStart", ...from);
    for (const part of [0.2, 0.6, 1])
      await at("touchMove", ...from.map((place, i) => place + (to[i] - place) * part));
    await at("touchEnd");
  };
  const done = await column(ann, "Done").locator(".cards").boundingBox();
  const target = [done.x + done.width / 2, done.y + 10];
  await drag(middle(await card(ann, "One").boundingBox()), target);
  assert.deepEqual(await titles(ann, "To do"), ["One", "Two"]);
  await drag(middle(await grip(ann, "One").boundingBox()), target);
  await shows(ann, "Done", ["One"]);
});

test("a drag that is broken off changes nothing", async () => {
  const ann = await person("ann");
  await add(ann, "To do", "One");
  await card(ann, "One").hover();
  await ann.mouse.down();
  const box = await column(ann, "Done").boundingBox();
  await ann.mouse.move(box.x + 50, box.y + 60, { steps: 5 });
  await ann.locator(".ghost").waitFor();
  await shows(ann, "Done", ["One"]);
  await ann.keyboard.press("Escape");
  await shows(ann, "To do", ["One"]);
  assert.equal(await ann.locator(".ghost").count(), 0);
  await ann.mouse.up();
});

test("by keys alone: a card is written, carried, put back and opened", async () => {
  const [ann, bob] = [await person("ann"), await person("bob", nodes[1])];
  const said = (text) => until(async () => (await ann.locator("#say").textContent()) === text, text);
  await ann.keyboard.press("Tab");
  await ann.keyboard.press("Enter");
  await column(ann, "To do").getByRole("button", { name: "Add a card" }).focus();
  await ann.keyboard.press("Enter");
  for (const title of ["One", "Two"]) await ann.keyboard.type(`${title}\n`);
  await ann.keyboard.press("Escape");
  await shows(bob, "To do", ["One", "Two"]);

  await grip(ann, "Two").focus();
  await ann.keyboard.press("Space");
  await said("Picked up: To do, 2 of 2");
  await ann.keyboard.press("ArrowUp");
  await said("To do, 1 of 2");
  await ann.keyboard.press("ArrowRight");
  await said("Doing, 1 of 1");
  await ann.keyboard.press("Space");
  await said("Put down: Doing, 1 of 1");
  await shows(bob, "Doing", ["Two"]);

  await ann.keyboard.press("Space");
  await ann.keyboard.press("ArrowLeft");
  await ann.keyboard.press("Escape");
  await said("Put back");
  await shows(ann, "Doing", ["Two"]);
  await card(ann, "One").focus();
  await ann.keyboard.press("Enter");
  await ann.getByRole("dialog", { name: "Card" }).waitFor();
  await ann.keyboard.press("Escape");
  assert.equal(await ann.evaluate(() => document.activeElement.textContent), "One");
});

test("who is here, what they look at, who types, and where they point", async () => {
  const [ann, bob] = [await person("ann"), await person("bob", nodes[1])];
  await add(ann, "To do", "Fence");
  const people = ann.getByRole("list", { name: "Who is here" });
  await people.getByText("ann (you)").waitFor();
  await people.getByText("bob", { exact: true }).waitFor();

  await card(bob, "Fence").click();
  await people.getByText("bob, looking at Fence").waitFor();
  await column(ann, "To do").getByText("bob looks at this").waitFor();
  await card(ann, "Fence").click();
  await ann.getByText("bob looks at this too").waitFor();
  await bob.getByPlaceholder("Write a comment").pressSequentially("By");
  await ann.getByText("bob is typing…").waitFor();
  await shoot(ann, "card-light");
  await bob.getByPlaceholder("Write a comment").press("Enter");
  await until(async () => !(await ann.getByText("bob is typing…").isVisible()), "its end");

  await bob.keyboard.press("Escape");
  await ann.keyboard.press("Escape");
  await bob.mouse.move(600, 300);
  await ann.locator(".cursor span", { hasText: "bob" }).waitFor();
  const there = () => ann.locator(".cursor").evaluate((one) => one.getBoundingClientRect().x);
  await until(async () => Math.abs((await there()) - 600) < 2, "the cursor's place");
  await shoot(ann, "board-light");
  await bob.goto("about:blank");
  await until(async () => !(await people.getByText("bob").count()), "bob to be gone");
  assert.equal(await ann.locator(".cursor").count(), 0);
});

test("who comes later sees who looks at what, and who is away", async () => {
  const bob = await person("bob", nodes[1]);
  await add(bob, "To do", "Fence");
  await card(bob, "Fence").click();
  await isTaken(bob);
  const ann = await person("ann");
  const people = ann.getByRole("list", { name: "Who is here" });
  await people.getByText("bob, looking at Fence").waitFor();
  await bob.evaluate(() => {
    Object.defineProperty(document, "hidden", { value: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await people.getByText("bob, away, looking at Fence").waitFor();
  await bob.keyboard.press("Escape");
  await people.getByText("bob, away", { exact: true }).waitFor();

  const cleo = await person("cleo", nodes[1]);
  const seen = cleo.getByRole("list", { name: "Who is here" });
  await seen.getByText("bob, away", { exact: true }).waitFor();
  await seen.getByText("ann", { exact: true }).waitFor();
});

test("who comes later sees the board as it is", async () => {
  const ann = await person("ann");
  await add(ann, "Doing", "Fence");
  await isTaken(ann);
  const bob = await person("bob", nodes[1]);
  await shows(bob, "Doing", ["Fence"]);
});

test("the gateway's history tells who comes first what the board was", async () => {
  const ann = await person("ann");
  await add(ann, "Doing", "Fence", "Gate");
  await rename(ann, "Gate", "Garden gate");
  await isTaken(ann);
  await ann.context().close();
  await shows(await person("bob", nodes[1]), "Doing", ["Fence", "Garden gate"]);
});

test("a page that is loaded again still has the board, with nobody else there", async () => {
  const ann = await person("ann");
  await add(ann, "Doing", "Fence");
  await isTaken(ann);
  await ann.reload();
  await shows(ann, "Doing", ["Fence"]);
});

// --- cut off ---

async function cutOff(p) {
  await nodes[0].stop("SIGKILL");
  await p.getByText("Offline").waitFor();
}

async function comeBack(p) {
  await nodes[0].start();
  await p.evaluate(() => dispatchEvent(new Event("online")));
  await p.locator("#status[data-state=online]").waitFor();
}

test("what is done offline is sent on return, in order", async () => {
  const [ann, bob] = [await person("ann"), await person("bob", nodes[1])];
  await add(ann, "To do", "Fence");
  await shows(bob, "To do", ["Fence"]);
  await cutOff(ann);
  await add(ann, "To do", "Gate");
  await rename(ann, "Gate", "Garden gate");
  await card(ann, "Garden gate").dragTo(column(ann, "Doing").locator(".cards"));
  await ann.getByText("Offline, 3 changes to send").waitFor();
  await column(ann, "Doing").getByText("Not sent yet").waitFor();
  await add(bob, "Done", "Colour");
  await shoot(ann, "offline-light");
  assert.deepEqual(await titles(bob, "Doing"), []);
  await comeBack(ann);
  await shows(bob, "Doing", ["Garden gate"]);
  await shows(ann, "Done", ["Colour"]);
  await isTaken(ann);
  assert.equal(await conflicts(ann).count(), 0);
});

test("changes of different fields go together", async () => {
  const [ann, bob] = [await person("ann"), await person("bob", nodes[1])];
  await add(ann, "To do", "Fence");
  await shows(bob, "To do", ["Fence"]);
  await cutOff(ann);
  await rename(ann, "Fence", "Green fence");
  await card(bob, "Fence").dragTo(column(bob, "Done").locator(".cards"));
  await isTaken(bob);
  await comeBack(ann);
  await shows(ann, "Done", ["Green fence"]);
  await shows(bob, "Done", ["Green fence"]);
  assert.equal(await conflicts(ann).count(), 0);
});

for (const [choice, outcome] of [["Use mine", "Red fence"], ["Leave theirs", "Green fence"]]) {
  test(`a conflict is shown, and settled: ${choice}`, async () => {
    const [ann, bob] = [await person("ann"), await person("bob", nodes[1])];
    await add(ann, "To do", "Fence");
    await shows(bob, "To do", ["Fence"]);
    await cutOff(ann);
    await rename(ann, "Fence", "Red fence");
    await rename(bob, "Fence", "Green fence");
    await isTaken(bob);
    await comeBack(ann);
    await conflicts(ann).getByText("“Red fence”").waitFor();
    await conflicts(ann).getByText("“Green fence”").waitFor();
    await isAccessible(ann);
    await shoot(ann, "conflict-light");
    await conflicts(ann).getByRole("button", { name: choice }).click();
    await shows(ann, "To do", [outcome]);
    await shows(bob, "To do", [outcome]);
    await isTaken(ann);
    assert.equal(await conflicts(ann).count(), 0);
  });
}

test("a card that was deleted meanwhile can be put back with what was changed", async () => {
  const [ann, bob] = [await person("ann"), await person("bob", nodes[1])];
  await add(ann, "To do", "Fence");
  await shows(bob, "To do", ["Fence"]);
  await cutOff(ann);
  await rename(ann, "Fence", "Red fence");
  await card(bob, "Fence").click();
  await bob.getByRole("button", { name: "Delete card" }).click();
  await isTaken(bob);
  await comeBack(ann);
  await conflicts(ann).getByText("deleted").waitFor();
  await conflicts(ann).getByRole("button", { name: "Put it back" }).click();
  await shows(bob, "To do", ["Red fence"]);
});

// --- the page ---

test("without a token it asks for one; with a wrong one it says why", async () => {
  const ann = await page();
  await ann.goto(`${nodes[0].origin}/`);
  const form = ann.getByRole("dialog", { name: "Come in" });
  await form.waitFor();
  await isAccessible(ann);
  await shoot(ann, "sign-in");
  await form.getByLabel("Board").fill("b1");
  await form.getByLabel("Token").fill("nonsense");
  await form.getByRole("button").click();
  await ann.getByText("Signed out").waitFor();
  assert.notEqual(await form.getByRole("alert").textContent(), "");
  await form.getByLabel("Token").fill(token("ann"));
  await form.getByRole("button").click();
  await ann.locator("#status[data-state=online]").waitFor();
  assert.equal(new URL(ann.url()).hash, "");
});

for (const colorScheme of ["light", "dark"]) {
  test(`axe finds nothing: ${colorScheme}`, async () => {
    const ann = await person("ann", nodes[0], { colorScheme });
    const bob = await person("bob", nodes[1]);
    await add(ann, "To do", "Paint the garden fence before the autumn rain", "Order primer");
    await add(ann, "Doing", "Measure the posts");
    await card(bob, "Measure the posts").click();
    await bob.getByPlaceholder("Write a comment").fill("90 cm apart.");
    await bob.getByRole("button", { name: "Send" }).click();
    await ann.getByText("1 comment").waitFor();
    assert.equal(await ann.evaluate(() => document.documentElement.dataset.theme), colorScheme);
    await isAccessible(ann);
    await shoot(ann, `full-${colorScheme}`);
    await card(ann, "Measure the posts").click();
    await isAccessible(ann);
    await shoot(ann, `dialog-${colorScheme}`);
  });
}

test("the theme is chosen, and kept", async () => {
  const ann = await person("ann");
  const theme = () => ann.evaluate(() => document.documentElement.dataset.theme);
  await ann.getByRole("button", { name: "Dark theme" }).click();
  assert.equal(await theme(), "dark");
  await ann.reload();
  assert.equal(await theme(), "dark");
  await ann.getByRole("button", { name: "Dark theme", pressed: true }).click();
  assert.equal(await theme(), "light");
});

test("on a phone the columns scroll, not the page", async () => {
  const ann = await person("ann", nodes[0], phone);
  await add(ann, "To do", "Paint the garden fence before the autumn rain", "Order primer");
  const width = await ann.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= 390, `${width} wide`);
  await isAccessible(ann);
  await shoot(ann, "phone");
  await card(ann, "Order primer").tap();
  await shoot(ann, "phone-card");
  await ann.getByLabel("Column").selectOption("Done");
  await ann.getByRole("button", { name: "Close" }).tap();
  await shows(ann, "Done", ["Order primer"]);
});
