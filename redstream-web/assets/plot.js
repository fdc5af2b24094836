// The lag of a consumer over the last minutes.

/** The longest time that is shown, and the shortest. */
const WINDOW = 300_000;
const SHORTEST = 30_000;
const histories = new Map();

/** Adds the lag of now, and returns the points of the window. */
function record(key, at, lag) {
  const points = histories.get(key) ?? [];
  if (points.length === 0 || points.at(-1).at < at) points.push({ at, lag });
  while (points.length > 0 && points[0].at < at - WINDOW) points.shift();
  histories.set(key, points);
  return points;
}

function createPlot() {
  const [area, line] = [draw("path", { class: "area" }), draw("path", { class: "line" })];
  const svg = draw("svg", { viewBox: "0 0 300 50", preserveAspectRatio: "none", role: "img" }, area, line);
  const most = make("span", "most");
  return { node: make("div", "plot", "", svg, most), svg, area, line, most };
}

function updatePlot(plot, points, name) {
  const end = points.at(-1).at;
  const most = Math.max(...points.map((point) => point.lag));
  const width = Math.max(end - points[0].at, SHORTEST);
  const x = (point) => (300 - ((end - point.at) / width) * 300).toFixed(1);
  const y = (point) => (47 - (point.lag / Math.max(most, 1)) * 42).toFixed(1);
  const path = points.map((point) => `${x(point)} ${y(point)}`).join("L");
  plot.line.setAttribute("d", `M${path}`);
  plot.area.setAttribute("d", `M${x(points[0])} 50L${path}L300 50Z`);
  const span = duration(Math.max(end - points[0].at, 1000));
  say(plot.most, `at most ${count(most)} in ${span}`);
  const text = `Lag of ${name} over ${span}: ${count(points.at(-1).lag)} now, ${count(most)} at most`;
  mark(plot.svg, "aria-label", text);
}
