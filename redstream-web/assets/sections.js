// The sections beside the streams: summary, problems, reindexes, tasks, workers, servers, actions.

function renderTiles(overview, problems) {
  const consumers = overview.streams.flatMap((stream) => stream.consumers);
  const total = (items, of) => items.reduce((sum, item) => sum + (of(item) ?? 0), 0);
  const dead = total(consumers, (consumer) => consumer.dead_letters);
  const isMore = consumers.some((consumer) => consumer.lag_is_more);
  const errors = problems.filter((problem) => problem.severity === "error").length;
  const tiles = [
    { name: "streams", value: count(overview.streams.length) },
    { name: "consumers", value: count(consumers.length) },
    { name: "messages behind", value: count(total(consumers, (consumer) => consumer.lag)) + (isMore ? "+" : "") },
    { name: "dead letters", value: count(dead), tone: dead > 0 ? "bad" : "" },
    { name: "problems", value: count(problems.length), tone: errors > 0 ? "bad" : problems.length > 0 ? "warn" : "" },
    { name: "memory of Redis", value: bytes(total(overview.servers, (server) => server.used_memory)) },
  ];
  const create = (tile) => {
    const value = make("strong");
    return { node: make("li", "", "", value, make("span", "muted", tile.name)), value };
  };
  each(byId("tiles"), tiles, (tile) => tile.name, create, (view, tile) => {
    say(view.value, tile.value);
    mark(view.node, "data-tone", tile.tone ?? "");
  });
}

function renderProblems(problems) {
  show(byId("no-problems"), problems.length === 0);
  const create = (problem) => {
    const [cause, cure] = [make("p"), make("p", "muted")];
    const head = make("p", "", "", make("span", "pill", problem.severity), make("strong", "", problem.place));
    return { node: make("li", "", "", head, cause, cure), cause, cure };
  };
  const key = (problem) => [problem.kind, problem.place, problem.severity].join("\n");
  // A kind can occur twice at one place.
  const kept = new Map(problems.map((problem) => [key(problem), problem]));
  each(byId("problems"), kept.values(), key, create, (view, problem) => {
    mark(view.node, "data-severity", problem.severity);
    say(view.cause, problem.cause);
    say(view.cure, `→ ${problem.cure}`);
  });
}

/** A card with a title, a state, a bar and buttons. */
function card(title, ...buttons) {
  const view = { pill: make("span", "pill"), text: make("p"), more: make("p", "muted"), bar: make("progress") };
  view.bar.setAttribute("aria-label", `Progress of ${title}`);
  view.node = make("li", "", "", make("div", "row", "", make("h3", "", title), view.pill), view.text, view.bar, view.more,
    make("div", "buttons", "", ...buttons));
  return view;
}

function updateCard(view, state, text, more, done, total) {
  say(view.pill, state.replaceAll("_", " "));
  mark(view.pill, "data-state", state);
  say(view.text, text);
  say(view.more, more);
  show(view.bar, total > 0);
  if (total > 0) Object.assign(view.bar, { max: total, value: Math.min(done, total) });
}

function renderReindexes(streams, rates) {
  const all = streams.flatMap((stream) => stream.reindexes.map((reindex) => ({ stream: stream.name, ...reindex })));
  show(byId("reindexes-section"), all.length > 0);
  const create = ({ stream, id }) => {
    const set = (verb) => () => perform(`reindex-${verb}`, { stream, id }, ({ state }) => `${stream}/${id}: ${state}`);
    const end = async () => {
      const text = "Its process stops after the chunk at hand. Keys that are not queued yet are not queued.";
      if (await question({ title: `End the reindex ${id}`, text, yes: "End it", isDangerous: true })) await set("abort")();
    };
    const buttons = {
      pause: actionButton("reindex-pause", "Pause", set("pause")),
      resume: actionButton("reindex-resume", "Resume", set("resume")),
      abort: actionButton("reindex-abort", "End…", end, "danger"),
      forget: actionButton("reindex-forget", "Forget", set("forget")),
    };
    for (const node of Object.values(buttons)) node.setAttribute("aria-label", `${node.textContent.replace("…", "")} reindex ${stream}/${id}`);
    return { ...card(`${stream}/${id}`, ...Object.values(buttons)), buttons };
  };
  each(byId("reindexes"), all, ({ stream, id }) => `${stream}\n${id}`, create, (view, one) => {
    const isFinished = one.state === "caught_up" || one.state === "aborted";
    const speed = isFinished ? undefined : own(own(rates, one.stream), one.id);
    const left = one.estimate - one.queued;
    const pace = speed > 0.1 ? `, ${rate(speed)}${left > 0 ? `, queued in ${duration((left / speed) * 1000)}` : ""}` : "";
    const more = [one.filter, one.consumers.length > 0 ? `waits for ${one.consumers.join(", ")}` : "",
      one.dead_letters > 0 ? counted(one.dead_letters, "dead letter") : ""].filter(Boolean).join("; ");
    updateCard(view, one.state, `${count(one.queued)} of ${count(one.estimate)} keys of ${one.entity}${pace}`, more, one.queued, one.estimate);
    const wanted = { pause: !isFinished && one.state !== "paused", resume: one.state === "paused", abort: !isFinished, forget: isFinished };
    const verbs = new Map(Object.entries(view.buttons).map(([verb, button]) => [button, verb]));
    showOnly([...verbs.keys()], (button) => wanted[verbs.get(button)] && ALLOWED.has(`reindex-${verbs.get(button)}`));
  });
}

function renderTasks(tasks) {
  show(byId("tasks-section"), tasks.length > 0);
  const create = ({ name }) => {
    const starts = actionButton("task-start", "Start", async () => {
      if (await question({ title: `Start ${name}`, text: "It runs in the process that serves this page.", yes: "Start" })) {
        await perform("task-start", { task: name }, () => `${name} is started`);
      }
    });
    const stops = actionButton("task-stop", "Stop", () => perform("task-stop", { task: name }, () => `${name} is told to stop`));
    starts.setAttribute("aria-label", `Start ${name}`);
    stops.setAttribute("aria-label", `Stop ${name}`);
    return { ...card(name, starts, stops), starts, stops };
  };
  each(byId("tasks"), tasks, (task) => task.name, create, (view, task) => {
    const runs = task.state === "running" || task.state === "stopping";
    const at = [task.started_at === null ? "" : `started at ${clock(task.started_at)}${task.user ? ` by ${task.user}` : ""}`,
      task.ended_at === null ? "" : `ended at ${clock(task.ended_at)}`].filter(Boolean).join(", ");
    updateCard(view, task.state === "idle" ? "not started" : task.state, task.text, at, task.done, runs ? task.total : 0);
    const wanted = { start: !runs && ALLOWED.has("task-start"), stop: task.state === "running" && ALLOWED.has("task-stop") };
    showOnly([view.starts, view.stops], (button) => (button === view.starts ? wanted.start : wanted.stop));
  });
}

function renderWorkers(health) {
  show(byId("workers-section"), health !== null);
  if (health === null) return;
  say(byId("probes"), `${health.is_live ? "live" : "not live"}, ${health.is_ready ? "ready" : "not ready"}`);
  each(byId("workers"), health.workers, (worker) => worker.name, (worker) => card(worker.name), (view, worker) => {
    const more = [worker.restarts > 0 ? counted(worker.restarts, "restart") : "",
      worker.set_aside > 0 ? `${count(worker.set_aside)} pieces of work are set aside` : "", ...worker.neglected].filter(Boolean);
    updateCard(view, worker.state, `progress ${duration(worker.since_progress_ms)} ago`, more.join("; "), 0, 0);
  });
}

function renderServers(servers) {
  show(byId("servers-section"), servers.length > 0);
  each(byId("servers"), servers, (server) => server.address, (server) => card(server.address), (view, server) => {
    const memory = server.used_memory === null ? "" : `${bytes(server.used_memory)}${server.max_memory ? ` of ${bytes(server.max_memory)}` : ""}`;
    const about = [memory, server.eviction_policy, server.append_only_file === null ? "" : server.append_only_file ? "append-only file" : "no append-only file"];
    const more = [server.uptime_seconds === null ? "" : `up for ${duration(server.uptime_seconds * 1000)}`,
      server.clients === null ? "" : counted(server.clients, "client"), server.replicas === null ? "" : counted(server.replicas, "replica")];
    const join = (parts) => parts.filter(Boolean).join(", ");
    updateCard(view, `${server.name ?? "server"} ${server.version ?? ""}`.trim(), join(about), join(more), server.used_memory ?? 0, server.max_memory ?? 0);
  });
}

function renderActions(actions) {
  show(byId("audit-section"), actions.length > 0);
  const key = (entry) => JSON.stringify(entry);
  each(byId("audit"), new Map(actions.map((entry) => [key(entry), entry])).values(), key, (entry) => {
    const { outcome } = entry;
    const said = `${clock(entry.at)} ${entry.user ?? "unknown"}: ${entry.verb} ${entry.target} `;
    const result = make("span", outcome.outcome === "done" ? "" : "bad", `${outcome.outcome}: ${outcome.text}`);
    return { node: make("li", "", said, result) };
  }, () => {});
}
