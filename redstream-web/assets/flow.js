// The flow of one stream: writes, delay messages, main messages, consumers, and what they feed.

function createStream(stream) {
  const svg = draw("svg", { "aria-hidden": "true" });
  const [writes, delay, main] = [node("Writes"), node("Delay stream"), node("Main stream")];
  const lanes = make("div", "lanes");
  const flow = make("div", "flow", "", svg, writes.node, make("div", "stack", "", delay.node, main.node), lanes);
  const title = make("h3", "", stream.name);
  const view = { node: make("article", "stream", "", title, flow), flow, svg, writes, delay, main, lanes, edges: new Map() };
  view.strays = button("", () => showDead(stream.name, null), "danger");
  view.trims = actionButton("trim", "Trim…", () => trim(stream.name));
  view.trims.setAttribute("aria-label", `Trim ${stream.name}`);
  delay.node.append(make("div", "buttons", "", view.strays));
  main.node.append(make("div", "buttons", "", view.trims));
  new ResizeObserver(() => drawEdges(view)).observe(flow);
  return view;
}

/** A box: a title, a number, and lines of text. */
function node(title) {
  const [number, lines] = [make("strong"), make("div")];
  return { node: make("div", "node", "", make("h4", "", title), number, lines), number, lines, };
}

function updateNode(view, number, lines) {
  say(view.number, number);
  const items = lines.filter(Boolean).map((line, at) => ({ at, line }));
  each(view.lines, items, (item) => item.at, () => ({ node: make("p") }), (line, item) => say(line.node, item.line));
}

function updateStream(view, stream, at, rates) {
  const last = view.last;
  const wrote = last !== undefined && last.last_id !== stream.last_id;
  const written = timeOf(stream.last_id);
  const speed = pace(own(rates.written, stream.name));
  updateNode(view.writes, speed || NO_PACE, [
    "main messages", written === 0 ? "none so far" : `the last one ${duration(Math.max(stream.at - written, 0))} ago`,
  ]);
  const { delayer } = stream;
  updateNode(view.delay, counted(delayer.entries, "entry", "entries"), [
    delayer.oldest_ms === null ? "nothing waits" : `the oldest waits for ${duration(delayer.oldest_ms)}`,
    delayer.runs ? `the delayer runs${delayer.delay_ms === null ? "" : `: after ${duration(delayer.delay_ms)}`}` : "no delayer runs",
  ]);
  const strays = counted(delayer.dead_letters, "entry that is no message", "entries that are no messages");
  say(view.strays, strays);
  mark(view.strays, "aria-label", `${strays}, in the delay stream of ${stream.name}`);
  show(view.strays, delayer.dead_letters > 0);
  updateNode(view.main, counted(stream.entries, "entry", "entries"), [
    stream.oldest_ms === null ? "" : `the oldest is of ${duration(stream.oldest_ms)} ago`,
    stream.bytes === null ? "" : `${bytes(stream.bytes)} with the delay stream`,
    stream.trimmer_runs ? "the trimmer runs" : "no trimmer runs",
  ]);
  each(view.lanes, stream.consumers, (consumer) => consumer.name, (consumer) => createConsumer(stream.name, consumer),
    (lane, consumer) => updateConsumer(lane, stream, consumer, at, rates));
  view.speed = speed;
  view.flows = { writes: wrote, delay: wrote, moved: last !== undefined && wrote && delayer.entries < last.delayer.entries };
  view.last = stream;
  drawEdges(view);
}

function createConsumer(stream, consumer) {
  const view = { ...node(consumer.name), sink: node("Sink"), plot: createPlot(), consumer };
  view.pill = make("span", "pill");
  view.pauses = actionButton("pause", "Pause", () => pause(stream, consumer.name));
  view.resumes = actionButton("resume", "Resume", () => resume(stream, consumer.name));
  view.rewinds = actionButton("rewind", "Rewind…", () => rewind(stream, view.consumer));
  view.forgets = actionButton("forget", "Forget…", () => forget(stream, view.consumer));
  view.deads = button("", () => showDead(stream, consumer.name));
  for (const [button, verb] of [[view.pauses, "Pause"], [view.resumes, "Resume"], [view.rewinds, "Rewind"], [view.forgets, "Forget"]]) {
    button.setAttribute("aria-label", `${verb} ${stream}/${consumer.name}`);
  }
  const buttons = make("div", "buttons", "", view.pauses, view.resumes, view.rewinds, view.forgets, view.deads);
  view.node.prepend(make("div", "row", "", view.node.firstElementChild, view.pill));
  view.node.append(view.plot.node, buttons);
  view.box = view.node;
  view.node = make("div", "lane", "", view.box, view.sink.node);
  return view;
}

function updateConsumer(view, stream, consumer, at, rates) {
  const [lagRate, handled] = [rates.lag, rates.handled].map((all) => own(own(all, stream.name), consumer.name));
  view.speed = pace(handled);
  const isPaused = consumer.state === "paused" || consumer.state === "pausing";
  const rests = isPaused || consumer.state === "stopped";
  view.moves = view.last !== undefined && view.last !== consumer.offset;
  view.last = consumer.offset;
  view.consumer = consumer;
  view.isLate = consumer.behind_ms !== null && consumer.behind_ms > 60_000;
  say(view.pill, consumer.state);
  mark(view.pill, "data-state", consumer.state);
  const ahead = lagRate === undefined || consumer.lag === 0 ? "" : eta(consumer.lag, lagRate);
  updateNode(view, `${lagOf(consumer)} ${consumer.lag === 1 ? "message" : "messages"} behind`, [
    [consumer.behind_ms === null ? "has committed all" : `the oldest is of ${duration(consumer.behind_ms)} ago`, ahead].filter(Boolean).join(", "),
    `handles ${view.speed || NO_PACE}`,
    consumer.is_registered ? "" : "not registered: trimming does not wait for it",
  ]);
  updatePlot(view.plot, record(`${stream.name}/${consumer.name}`, at, consumer.lag), consumer.name);
  const wanted = isPaused ? [view.resumes, "resume"] : [view.pauses, "pause"];
  showOnly([view.pauses, view.resumes], (button) => button === wanted[0] && ALLOWED.has(wanted[1]));
  // One that works cannot be forgotten.
  show(view.forgets, rests && ALLOWED.has("forget"));
  const letters = counted(consumer.dead_letters, "dead letter");
  say(view.deads, letters);
  mark(view.deads, "aria-label", `${letters} of ${stream.name}/${consumer.name}`);
  view.deads.classList.toggle("danger", consumer.dead_letters > 0);
  show(view.deads, consumer.dead_letters > 0);
  const missing = consumer.dead_letters;
  updateNode(view.sink, consumer.behind_ms === null ? "current" : view.isLate ? "late" : rests ? "waits" : "following", [
    missing > 0 ? `${counted(missing, "change")} missing` : "",
    consumer.identity === null ? "" : `fed by ${shortened(consumer.identity)}`,
  ]);
}

function eta(lag, lagRate) {
  if (lagRate > -0.1) return rate(lagRate);
  return `${rate(lagRate)}, done in ${duration((lag / -lagRate) * 1000)}`;
}

/** A type of Rust without the paths of its modules. */
function shortened(identity) {
  return identity.replace(/(?:\w+::)+/g, "");
}

/** Lines between the boxes: to the right, or downwards if the boxes are below each other. */
function drawEdges(view) {
  if (!view.flows) return;
  const isVertical = getComputedStyle(view.flow).getPropertyValue("--vertical").trim() === "1";
  const ground = view.flow.getBoundingClientRect();
  const edges = [];
  const edge = (name, from, to, flows, isLate, isDown, speed = "") => edges.push({ name, from, to, flows, isLate, isDown, speed });
  const [writes, delay, main] = [view.writes.node, view.delay.node, view.main.node];
  edge("delay", writes, delay, view.flows.delay, false, isVertical);
  if (!isVertical) edge("main", writes, main, view.flows.writes, false, false, view.speed);
  edge("moved", delay, main, view.flows.moved || (isVertical && view.flows.writes), false, true);
  for (const [name, lane] of shownItems.get(view.lanes) ?? []) {
    if (!isVertical || name === view.last.consumers[0]?.name) edge(`to ${name}`, main, lane.box, lane.moves, lane.isLate, isVertical);
    edge(`from ${name}`, lane.box, lane.sink.node, lane.moves, lane.isLate, isVertical, lane.speed);
  }
  const create = () => {
    const [path, label] = [draw("path"), draw("text", { class: "speed" })];
    return { node: draw("g", {}, path, label), path, label };
  };
  each(view.svg, edges, (edge) => edge.name, create, ({ path, label }, edge) => {
    mark(path, "d", curve(edge, ground));
    const dashed = edge.name === "moved" ? " dashed" : "";
    mark(path, "class", `edge${dashed}${edge.flows ? " flowing" : ""}${edge.isLate ? " is-late" : ""}`);
    say(label, edge.speed);
    if (edge.speed) placeLabel(label, edge, ground);
  });
}

/** Above the middle of a line to the right, or to the right of one that goes down. */
function placeLabel(label, { from, to, isDown }, ground) {
  const [a, b] = [from.getBoundingClientRect(), to.getBoundingClientRect()];
  const x = isDown ? Math.min(a.left + a.width / 2, b.left + b.width / 2) + 10 : (a.right + b.left) / 2;
  const y = isDown ? (a.bottom + b.top) / 2 + 4 : (a.top + a.height / 2 + b.top + b.height / 2) / 2 - 7;
  mark(label, "x", (x - ground.left).toFixed(1));
  mark(label, "y", (y - ground.top).toFixed(1));
  mark(label, "text-anchor", isDown ? "start" : "middle");
}

function curve({ from, to, isDown }, ground) {
  const [a, b] = [from.getBoundingClientRect(), to.getBoundingClientRect()];
  const at = (x, y) => `${(x - ground.left).toFixed(1)} ${(y - ground.top).toFixed(1)}`;
  if (isDown) {
    const x = Math.min(a.left + a.width / 2, b.left + b.width / 2);
    return `M${at(x, a.bottom)}L${at(x, b.top)}`;
  }
  const [y, z, middle] = [a.top + a.height / 2, b.top + b.height / 2, (a.right + b.left) / 2];
  return `M${at(a.right, y)}C${at(middle, y)} ${at(middle, z)} ${at(b.left, z)}`;
}
