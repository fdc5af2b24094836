// The dialog with the dead letters of one consumer, or of the delayer.

const dead = { node: byId("dead"), whose: {}, place: "", canRedrive: true, fingerprint: null, next: null, load: 0 };

byId("dead-close").addEventListener("click", () => dead.node.close());
byId("dead-more").addEventListener("click", () => moreLetters(dead.load));

/** Those of the delayer if `consumer` is null: they have no payload, and cannot be redriven. */
function showDead(stream, consumer) {
  const whose = consumer === null ? { stream, of: "delayer" } : { stream, consumer };
  const place = consumer === null ? `the delayer of ${stream}` : `${stream}/${consumer}`;
  Object.assign(dead, { whose, place, canRedrive: consumer !== null, fingerprint: null });
  byId("dead-title").textContent = `Dead letters of ${place}`;
  dead.node.showModal();
  reloadDead();
}

async function reloadDead() {
  // A later load makes this one void.
  const load = (dead.load += 1);
  dead.next = null;
  each(byId("dead-letters"), [], () => "", null, null);
  byId("dead-note").textContent = "loading";
  show(byId("dead-more"), false);
  try {
    const { groups, is_all } = await loadDead("dead-groups", {});
    if (load !== dead.load) return;
    if (dead.fingerprint && !groups.some((group) => group.fingerprint === dead.fingerprint)) dead.fingerprint = null;
    each(byId("dead-groups"), groups, (group) => group.fingerprint, createGroup, updateGroup);
    byId("dead-note").textContent = groups.length === 0 ? "There are none." : is_all ? "" : "The oldest ones; there are more.";
    await moreLetters(load);
  } catch (error) {
    if (load === dead.load) byId("dead-note").textContent = error.message;
  }
  // The button that had it may have gone with its letter.
  if (!dead.node.contains(document.activeElement)) byId("dead-close").focus();
}

function loadDead(path, extra) {
  const query = new URLSearchParams({ ...dead.whose, ...extra });
  return load(`${path}?${query}`);
}

let letterViews = [];

async function moreLetters(load) {
  const extra = {};
  if (dead.fingerprint) extra.fingerprint = dead.fingerprint;
  if (dead.next) extra.after = dead.next;
  else letterViews = [];
  try {
    const page = await loadDead("dead", extra);
    if (load !== dead.load) return;
    dead.next = page.next;
    letterViews = letterViews.concat(page.letters);
    each(byId("dead-letters"), letterViews, (letter) => letter.id, createLetter, () => {});
    show(byId("dead-more"), page.next !== null);
  } catch (error) {
    if (load === dead.load) byId("dead-note").textContent = error.message;
  }
}

function createGroup(group) {
  const which = { fingerprint: group.fingerprint };
  const many = make("strong");
  const only = button("Show only these", () => {
    dead.fingerprint = dead.fingerprint === group.fingerprint ? null : group.fingerprint;
    reloadDead();
  });
  const buttons = make("div", "buttons", "", only);
  if (dead.canRedrive) buttons.append(actionButton("redrive", "Redrive these", () => redrive(which, many.textContent)));
  buttons.append(actionButton("discard", "Discard these", () => discard(which, many.textContent), "danger"));
  const node = make("li", "", "", make("p", "", "", many, ` fail with: ${group.pattern}`), buttons);
  return { node, many, only };
}

function updateGroup(view, group) {
  say(view.many, counted(group.count, "letter"));
  mark(view.only, "aria-pressed", String(dead.fingerprint === group.fingerprint));
}

function createLetter(letter) {
  const which = { ids: [letter.id] };
  const cut = new TextEncoder().encode(letter.payload).length < letter.payload_bytes;
  const head = `Message ${letter.message_id}, ${counted(letter.attempts, "attempt")}, ${clock(timeOf(letter.id))}`;
  const size = cut ? `the beginning of ${bytes(letter.payload_bytes)}` : bytes(letter.payload_bytes);
  const buttons = make("div", "buttons");
  if (dead.canRedrive) buttons.append(actionButton("redrive", "Redrive", () => redrive(which, "1 letter")));
  buttons.append(actionButton("discard", "Discard", () => discard(which, "1 letter"), "danger"));
  const parts = [make("p", "muted", head), make("p", "", "Error"), block(letter.error, "Error")];
  if (dead.canRedrive) parts.push(make("p", "", `Payload, ${size}`), block(letter.payload, "Payload"));
  parts.push(buttons);
  return { node: make("li", "", "", ...parts) };
}

/** A text that may be scrolled, by the keyboard too. */
function block(text, label) {
  const node = make("pre", "", text);
  node.tabIndex = 0;
  node.setAttribute("role", "group");
  node.setAttribute("aria-label", label);
  return node;
}

async function redrive(which, many) {
  const { whose, place } = dead;
  const answer = await perform("redrive", { ...whose, which }, (answer) =>
    `${counted(answer.done, "message")} of ${place} back in the stream, for this consumer alone` +
    (answer.cut > 0 ? `; ${answer.cut} stay, of which only the beginning was stored` : "") + incomplete(answer));
  if (answer) reloadDead();
  else byId("dead-note").textContent = `${many}: not redriven. ${said.textContent}`;
}

async function discard(which, many) {
  const { whose, place, canRedrive } = dead;
  const isMeant = await question({
    title: `Discard ${many} of ${place}`,
    text: canRedrive
      ? "They are dropped: their changes never reach what this consumer feeds."
      : "They are dropped: something else than Redstream wrote them, and they announce no change.",
    yes: "Discard",
    isDangerous: true,
  });
  if (!isMeant) return;
  if (await perform("discard", { ...whose, which }, (answer) => `${counted(answer.done, "dead letter")} dropped` + incomplete(answer))) reloadDead();
}

function incomplete(answer) {
  return answer.is_complete ? "" : "; there are more: do it again to go on";
}
