// Receives what the page shows: while the page is visible, and unless it is frozen.

const FIRST_RETRY = 2000;
const LONGEST_RETRY = 30_000;
/** If news is late by so much, the page says so, and later connects again. */
const LATE = 15_000;
const TOO_LATE = 45_000;
const live = { source: null, isFrozen: false, retry: FIRST_RETRY, retryAt: 0, at: 0, received: 0, next: 0 };

function badge(state, text) {
  const node = byId("badge");
  say(node, text);
  mark(node, "data-state", state);
}

function open() {
  close();
  if (live.isFrozen || document.hidden) return;
  badge("connecting", "connecting");
  live.received = Date.now();
  live.source = new EventSource(`${BASE}events`);
  live.source.onmessage = (event) => {
    live.retry = FIRST_RETRY;
    receive(JSON.parse(event.data));
  };
  live.source.onerror = () => {
    badge("trouble", "disconnected");
    // The browser connects again by itself, unless the answer was an error: this does it in both cases.
    close();
    live.retryAt = setTimeout(open, live.retry);
    live.retry = Math.min(live.retry * 2, LONGEST_RETRY);
  };
}

function close() {
  clearTimeout(live.retryAt);
  live.source?.close();
  live.source = null;
}

function receive(snapshot) {
  live.received = Date.now();
  live.next = snapshot.next_ms;
  if (live.isFrozen) badge("frozen", `frozen at ${clock(snapshot.at)}`);
  else badge(snapshot.error ? "trouble" : "live", snapshot.error ? "no answer of Redis" : "live");
  say(byId("trouble"), snapshot.error ? `Redis: ${snapshot.error}` : "");
  show(byId("trouble"), Boolean(snapshot.error));
  document.body.classList.toggle("is-stale", Boolean(snapshot.error));
  renderTasks(snapshot.tasks);
  renderWorkers(snapshot.health);
  renderActions(snapshot.actions);
  if (!snapshot.overview) return;
  const { overview, rates } = snapshot;
  live.at = snapshot.at;
  say(byId("namespace"), overview.namespace ?? "no namespace");
  say(byId("as-of"), `As of ${clock(snapshot.at)}. Redis was asked for ${duration(snapshot.took_ms)}.`);
  renderTiles(overview, snapshot.problems);
  renderProblems(snapshot.problems);
  show(byId("no-streams"), overview.streams.length === 0);
  say(byId("left-out"), `${counted(snapshot.left_out, "more stream")} not shown.`);
  show(byId("left-out"), snapshot.left_out > 0);
  each(byId("stream-list"), overview.streams, (stream) => stream.name, createStream,
    (view, stream) => updateStream(view, stream, snapshot.at, rates));
  renderReindexes(overview.streams, rates.queued);
  renderServers(overview.servers);
  document.documentElement.dataset.looks = String(Number(document.documentElement.dataset.looks ?? 0) + 1);
}

/** Shows what an action has done though the page is frozen. */
async function refreshIfFrozen() {
  if (!live.isFrozen) return;
  try {
    receive(await load("status"));
  } catch (error) {
    tell(error.message);
  }
}

byId("freeze").addEventListener("click", () => {
  live.isFrozen = !live.isFrozen;
  byId("freeze").setAttribute("aria-pressed", String(live.isFrozen));
  if (live.isFrozen) {
    close();
    badge("frozen", live.at ? `frozen at ${clock(live.at)}` : "frozen");
  } else {
    open();
  }
});

document.addEventListener("visibilitychange", () => {
  if (live.isFrozen) return;
  if (document.hidden) {
    close();
    badge("frozen", "hidden");
  } else {
    live.retry = FIRST_RETRY;
    open();
  }
});

setInterval(() => {
  const since = Date.now() - live.received;
  if (!live.source || since - live.next < LATE) return;
  badge("trouble", `no news for ${duration(since)}`);
  if (since - live.next > TOO_LATE) open();
}, 1000);

const THEMES = ["auto", "light", "dark"];

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  say(byId("theme"), `Theme: ${theme}`);
}

/** The storage may be forbidden: then the theme is not remembered. */
function remembered(change) {
  try {
    return change(localStorage);
  } catch {
    return null;
  }
}

byId("theme").addEventListener("click", () => {
  const theme = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
  setTheme(theme);
  remembered((storage) => storage.setItem("redstream-theme", theme));
});

const stored = remembered((storage) => storage.getItem("redstream-theme"));
setTheme(THEMES.includes(stored) ? stored : "auto");
const icon = make("link");
icon.rel = "icon";
icon.href = `${BASE}icon.svg`;
document.head.append(icon);
open();
