// Actions: what this user may do, and how it is sent.

const BASE = location.pathname.replace(/\/?$/, "/");
const ALLOWED = new Set(document.documentElement.dataset.actions.split(" ").filter(Boolean));
const said = byId("said");
let quietAt = 0;

/** Says something at the foot of the page, for some seconds. */
function tell(text) {
  said.textContent = text;
  clearTimeout(quietAt);
  quietAt = setTimeout(() => { said.textContent = ""; }, 8000);
}

/** The JSON at a relative address, or an error whose message is for the user. */
async function load(path, options = {}) {
  const response = await fetch(BASE + path, { signal: AbortSignal.timeout(40000), ...options });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `the server answered ${response.status}`);
  return answer;
}

/** Performs an action. Returns the answer, or null after telling why there is none. */
async function perform(verb, body, text) {
  const headers = { "Content-Type": "application/json", "X-Redstream-Action": "1" };
  try {
    const answer = await load(`actions/${verb}`, { method: "POST", headers, body: JSON.stringify(body) });
    tell(text(answer));
    refreshIfFrozen();
    return answer;
  } catch (error) {
    tell(`Not done: ${error.message}`);
    return null;
  }
}

/** A button that is there if this user may use it. */
function actionButton(verb, text, onClick, className = "") {
  const node = button(text, onClick, className);
  node.hidden = !ALLOWED.has(verb);
  return node;
}

function pause(stream, consumer) {
  const place = `${stream}/${consumer}`;
  return perform("pause", { stream, consumer }, ({ rests }) =>
    rests ? `${place} is paused, and no host is at work` : `${place} is paused; a host is still at work, until its next commit`);
}

function resume(stream, consumer) {
  return perform("resume", { stream, consumer }, () => `${stream}/${consumer} may work`);
}

const PLACES = [
  ["earliest", "the oldest message that is there"],
  ["latest", "only what comes from now on"],
  ["at_ms", "a time"],
  ["after", "after the message with an id"],
];

/** The place in the form that the server reads, or undefined if it is not complete. */
function placeOf({ to, at, id }) {
  if (to === "at_ms") return Number.isNaN(Date.parse(at)) ? undefined : { at_ms: Date.parse(at) };
  if (to === "after") return /^\d+-\d+(-\d+)?$/.test(id) ? { after: id } : undefined;
  return to;
}

async function rewind(stream, consumer) {
  const time = make("input");
  time.type = "datetime-local";
  const id = make("input");
  id.placeholder = "1526919030474-55";
  const [timeField, idField] = [field("Time, of this device", time, "at"), field("Id of a message", id, "id")];
  const to = choice(PLACES);
  const adjust = () => {
    show(timeField, to.value === "at_ms");
    show(idField, to.value === "after");
  };
  to.addEventListener("change", adjust);
  adjust();
  const values = await question({
    title: `Rewind ${stream}/${consumer.name}`,
    text: `It has ${lagOf(consumer)} messages ahead. Messages after the new place are handled, again if they were; ` +
      "those before it are skipped. What was trimmed does not come back.",
    yes: "Rewind",
    isDangerous: true,
    fields: [field("Continue with", to, "to"), timeField, idField],
    check: (values) => (placeOf(values) === undefined ? "Say when, or after which id (such as 1526919030474-55)." : null),
  });
  if (!values) return;
  const body = { stream, consumer: consumer.name, to: placeOf(values) };
  await perform("rewind", body, ({ offset }) => `${stream}/${consumer.name} continues after ${offset}`);
}

async function forget(stream, consumer) {
  const place = `${stream}/${consumer.name}`;
  const isMeant = await question({
    title: `Forget ${place}`,
    text: `Its offset is removed, and trimming no longer waits for it: ${lagOf(consumer)} messages that it has not handled may be ` +
      `trimmed. Its ${counted(consumer.dead_letters, "dead letter")} ${consumer.dead_letters === 1 ? "stays" : "stay"}. ` +
      "If it runs again, it begins as a new consumer.",
    yes: "Forget",
    isDangerous: true,
  });
  if (isMeant) await perform("forget", { stream, consumer: consumer.name }, () => `${place} is forgotten`);
}

async function trim(stream) {
  let impact;
  try {
    impact = await load(`trim-impact?${new URLSearchParams({ stream })}`);
  } catch (error) {
    return tell(`Not done: ${error.message}`);
  }
  if (impact.reason) return tell(`Nothing to trim in ${stream}: ${impact.reason}`);
  const isMeant = await question({
    title: `Trim ${stream}`,
    text: `${count(impact.messages)}${impact.is_more ? " or more" : ""} messages that all consumers have committed are removed. ` +
      "No rewind brings them back, though the trimmer may be set to keep them for a time.",
    yes: "Trim",
    isDangerous: true,
  });
  if (isMeant) {
    await perform("trim", { stream }, ({ removed_entries, reason }) =>
      `${counted(removed_entries, "entry", "entries")} removed from ${stream}${reason ? `: ${reason}` : ""}`);
  }
}
