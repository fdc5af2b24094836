// The dialog that asks before what cannot be undone.

const ask = { node: byId("ask"), answer: null };

byId("ask-no").addEventListener("click", () => ask.node.close());
ask.node.addEventListener("close", () => {
  ask.answer?.(null);
  ask.answer = null;
});
byId("ask-yes").addEventListener("click", () => {
  const values = {};
  for (const input of byId("ask-fields").querySelectorAll("input, select")) values[input.name] = input.value;
  const error = ask.check(values);
  byId("ask-error").textContent = error ?? "";
  if (error) return;
  ask.answer?.(values);
  ask.answer = null;
  ask.node.close();
});

/** Asks, and returns the values of the fields, or null if it is cancelled. `check` returns what is wrong with them. */
function question({ title, text, yes, isDangerous = false, fields = [], check = () => null }) {
  byId("ask-title").textContent = title;
  byId("ask-text").textContent = text;
  byId("ask-error").textContent = "";
  byId("ask-fields").replaceChildren(...fields);
  const button = byId("ask-yes");
  button.textContent = yes;
  button.className = isDangerous ? "danger" : "main";
  ask.check = check;
  ask.node.showModal();
  return new Promise((answer) => { ask.answer = answer; });
}

function field(label, input, name) {
  input.name = name;
  return make("label", "", label, input);
}

/** A list of choices, of pairs of value and text. */
function choice(options) {
  const select = make("select");
  for (const [value, text] of options) {
    const option = make("option", "", text);
    option.value = value;
    select.append(option);
  }
  return select;
}
