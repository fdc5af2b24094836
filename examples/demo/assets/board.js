// What runs, the buttons that break and mend it, and what happened.

const STATES = { starting: "starting", standby: "stands by", leads: "at work", killed: "killed" };
const TROUBLE = "the demo does not answer: was it ended?";
const board = { state: null, newest: 0, hasChosen: false };

async function act(body, step) {
  try {
    await send("acts", body);
    if (step) done(step);
  } catch (error) {
    say(byId("busy"), error.message);
  }
}

/** A button that is `disabled` would lose the focus. The server refuses what is not possible. */
function enable(button, isPossible) {
  mark(button, "aria-disabled", String(!isPossible));
}

function leader() {
  return Object.entries(board.state?.workers ?? {}).find(([, worker]) => worker.state === "leads");
}

byId("kill").addEventListener("click", () => {
  const found = leader();
  if (found) act({ kill: Number(found[0]) }, "kill");
  else say(byId("busy"), "no worker is at work now");
});
byId("redis").addEventListener("click", () => act("stop_redis", "redis"));
byId("bypass").addEventListener("click", () => act({ bypass: search.cities.slice(0, 3).map((city) => city.id) }));
byId("verify").addEventListener("click", () => act("verify"));
byId("repair").addEventListener("click", () => act("repair", "repair"));
byId("reindex").addEventListener("click", () => act("reindex"));
byId("rollback").addEventListener("click", () => act({ roll_back: editor.city.id }));
document.querySelector("#tour a").addEventListener("click", () => done("own"));

function renderTiles(state) {
  const away = state.is_redis_stopped ? "bad" : "warn";
  const tiles = [
    { name: `rows in ${state.database}`, value: count(state.rows) },
    { name: `documents in ${state.index}`, value: count(state.documents), tone: state.documents < state.rows ? "warn" : "" },
    { name: "messages behind", value: count(state.lag), tone: state.lag === null ? away : "" },
    { name: "delay messages", value: count(state.delayed), tone: state.delayed === null ? away : "" },
    { name: "changes in the outbox", value: count(state.outbox), tone: state.outbox > 0 ? "warn" : "" },
    { name: "Redis", value: state.is_redis_stopped ? "stopped" : "runs", tone: state.is_redis_stopped ? "bad" : "" },
  ];
  const create = () => {
    const view = { node: make("li"), value: make("strong"), name: make("span", "quiet") };
    view.node.append(view.value, view.name);
    return view;
  };
  each(byId("tiles"), tiles, (tile) => tile.name, create, (view, tile) => {
    say(view.value, tile.value);
    say(view.name, tile.name);
    mark(view.node, "data-tone", tile.tone ?? "");
  });
}

function renderWorkers(state) {
  const create = ([who, worker]) => {
    const view = { node: make("li"), pill: make("span", "pill"), kill: make("button", "danger", "Kill") };
    view.kill.type = "button";
    view.kill.setAttribute("aria-label", `Kill worker ${worker.number}`);
    view.kill.addEventListener("click", () => act({ kill: Number(who) }, "kill"));
    view.node.append(make("strong", "", `Worker ${worker.number}`), make("span", "quiet", `process ${worker.process}`), view.pill, view.kill);
    return view;
  };
  each(byId("workers"), Object.entries(state.workers), ([who]) => who, create, (view, [, worker]) => {
    say(view.pill, STATES[worker.state]);
    mark(view.pill, "data-state", worker.state);
    enable(view.kill, !state.busy && (worker.state === "leads" || worker.state === "standby"));
  });
}

function renderLog(state) {
  const create = (line) => {
    const time = make("time", "", new Date(line.at).toLocaleTimeString("en-GB"));
    const node = make("li", "", "", time, make("span", "", line.text));
    node.dataset.tone = line.tone;
    return { node };
  };
  each(byId("log"), state.log, (line) => line.number, create, () => {});
}

function renderButtons(state) {
  const isBusy = Boolean(state.busy);
  for (const id of ["bypass", "verify", "repair", "reindex", "rollback"]) enable(byId(id), !isBusy);
  enable(byId("kill"), !isBusy && Boolean(leader()));
  enable(byId("redis"), !isBusy && state.is_redis_private);
  byId("redis").title = state.is_redis_private ? "" : "This Redis is not the demo's: stop it yourself";
  say(byId("busy"), state.busy ?? "");
  const loading = byId("loading");
  loading.hidden = state.loaded >= state.cities;
  loading.max = Math.max(state.cities, 1);
  loading.value = state.loaded;
}

function render(state) {
  const documents = board.state?.documents;
  const newest = state.log[0]?.number ?? 0;
  const isMended = newest !== board.newest && board.newest > 0;
  board.state = state;
  board.newest = newest;
  say(byId("database"), state.database);
  say(byId("index"), state.index === "tantivy" ? "a tantivy index" : "an index of a search server");
  renderTiles(state);
  renderWorkers(state);
  renderButtons(state);
  renderLog(state);
  showSaves(state.saves);
  // The index has changed: what is shown may have.
  if (documents !== state.documents || isMended) find();
}

function open() {
  const source = new EventSource("events");
  source.onmessage = (event) => {
    mark(byId("badge"), "data-state", "live");
    say(byId("badge"), "live");
    render(JSON.parse(event.data));
  };
  source.onerror = () => {
    mark(byId("badge"), "data-state", "trouble");
    say(byId("badge"), "disconnected");
    say(byId("busy"), TROUBLE);
    // The browser connects again by itself, unless the answer was an error.
    if (source.readyState === EventSource.CLOSED) setTimeout(open, 2000);
  };
}

open();
byId("q").focus();
