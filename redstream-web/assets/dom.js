// Elements of the page. Data reaches it by textContent and by attributes alone.

const SVG = "http://www.w3.org/2000/svg";

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

function draw(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function button(text, onClick, className = "") {
  const node = make("button", className, text);
  node.type = "button";
  node.addEventListener("click", onClick);
  return node;
}

/** Sets the text, and changes nothing if it is there. */
function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function mark(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

function show(node, isShown) {
  if (node.hidden === isShown) node.hidden = !isShown;
}

/** Shows those buttons for which `isShown` is true. If the one with the focus goes, the focus goes to another one. */
function showOnly(buttons, isShown) {
  const focused = buttons.find((button) => button === document.activeElement);
  for (const button of buttons) show(button, isShown(button));
  if (focused?.hidden) buttons.find((button) => !button.hidden)?.focus();
}
