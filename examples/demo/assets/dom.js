// Elements of the page, and requests. Data reaches the page by textContent and by attributes alone.

const whole = new Intl.NumberFormat("en");

function byId(id) {
  return document.getElementById(id);
}

/** An element: its class, its text, and its children. */
function make(tag, className = "", text = "", ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  node.append(...children);
  return node;
}

/** Sets the text, and changes nothing if it is there: so a screen reader is not told twice. */
function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function mark(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

function count(number) {
  return number === null ? "?" : whole.format(number);
}

/** The JSON at a relative address, or an error whose message is for the user. */
async function load(path, options = {}) {
  const response = await fetch(path, { signal: AbortSignal.timeout(40_000), ...options });
  const text = await response.text();
  let answer = {};
  try {
    answer = text ? JSON.parse(text) : {};
  } catch {
    answer = { error: text };
  }
  if (!response.ok) throw new Error(answer.error ?? `the server answered ${response.status}`);
  return answer;
}

function send(path, body) {
  const headers = { "Content-Type": "application/json" };
  return load(path, { method: "POST", headers, body: JSON.stringify(body) });
}

/** Marks a step of the tour as done. */
function done(step) {
  const item = document.querySelector(`#tour [data-step="${step}"]`);
  item.classList.add("is-done");
}

const THEMES = ["auto", "light", "dark"];

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  say(byId("theme"), `Theme: ${theme}`);
}

byId("theme").addEventListener("click", () => {
  setTheme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length]);
});
setTheme("auto");
