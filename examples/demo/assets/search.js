// Search as one types, and the editor of the city that was chosen.

const PAUSE = 80;
const search = { timer: 0, asked: 0, shown: 0, cities: [] };
const editor = { city: null, save: null };

function askSoon() {
  clearTimeout(search.timer);
  search.timer = setTimeout(find, PAUSE);
}

/** An answer that is overtaken by a later one is not shown. */
async function find() {
  search.asked += 1;
  const turn = search.asked;
  const typed = byId("q").value;
  try {
    const { total, cities, took_ms: took } = await load(`search?q=${encodeURIComponent(typed)}`);
    if (turn < search.shown) return;
    search.shown = turn;
    search.cities = cities;
    const few = total > cities.length ? `, the first ${cities.length}` : "";
    say(byId("found"), `${count(total)} found in ${took.toFixed(1)} ms${few}`);
    renderCities();
    if (typed.trim() && total > 0) done("search");
  } catch (error) {
    say(byId("found"), error.message);
  }
}

function renderCities() {
  const create = (city) => {
    const view = { node: make("li"), button: make("button"), name: make("strong"), place: make("span"), revision: make("small", "revision") };
    view.button.type = "button";
    view.button.append(view.name, view.place, view.revision);
    view.button.addEventListener("click", () => choose(city.id));
    view.node.append(view.button);
    return view;
  };
  each(byId("cities"), search.cities, (city) => city.id, create, (view, city) => {
    say(view.name, city.name);
    say(view.place, [city.admin2, city.admin1, city.country].filter(Boolean).join(", "));
    say(view.revision, `revision ${city.revision}`);
    mark(view.button, "aria-pressed", String(editor.city?.id === city.id));
    view.button.classList.toggle("is-fresh", editor.save?.id === city.id && city.revision >= editor.save.revision);
  });
}

/** The editor shows the row of the database, which may be newer than the document. */
async function choose(id) {
  try {
    editor.city = await load(`cities/${id}`);
  } catch (error) {
    tellSaved(error.message, "bad");
    return;
  }
  editor.save = null;
  for (const field of ["name", "admin1", "admin2"]) byId(field).value = editor.city[field];
  byId("fields").hidden = false;
  byId("no-city").hidden = true;
  tellSaved("", "");
  renderCities();
}

function tellSaved(text, tone) {
  const node = byId("saved");
  say(node, text);
  node.className = tone ? `is-${tone}` : "";
}

byId("editor").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!editor.city) return;
  const edit = Object.fromEntries(["name", "admin1", "admin2"].map((field) => [field, byId(field).value]));
  tellSaved("saving …", "");
  try {
    editor.save = await send(`cities/${editor.city.id}`, edit);
    editor.city = { ...editor.city, ...edit };
    tellSaved(`committed in ${editor.save.commit_ms} ms; not searchable yet`, "");
    done("save");
  } catch (error) {
    tellSaved(`not saved: ${error.message}`, "bad");
  }
});

/** The board says when a save was found. */
function showSaves(saves) {
  const save = saves.find((save) => save.id === editor.save?.id && save.revision === editor.save.revision);
  if (!save || save.searchable_ms === null || editor.save.searchable_ms !== null) return;
  editor.save = save;
  tellSaved(`committed in ${save.commit_ms} ms; searchable ${save.searchable_ms} ms later`, "good");
  find();
}

byId("q").addEventListener("input", askSoon);
