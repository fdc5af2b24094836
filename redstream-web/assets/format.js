// Numbers and times for people.

const whole = new Intl.NumberFormat("en");
const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

/** With a comma before each group of three digits. */
function count(number) {
  return whole.format(number);
}

/** A count with its noun. */
function counted(number, one, many) {
  return `${count(number)} ${number === 1 ? one : many ?? one + "s"}`;
}

/** Two units at most: `3 d 4 h`, `12 min 5 s`, `450 ms`. */
function duration(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  let rest = Math.floor(ms / 1000);
  const parts = [];
  for (const [unit, seconds] of UNITS) {
    const times = Math.floor(rest / seconds);
    rest -= times * seconds;
    if (times > 0 || parts.length > 0) parts.push([times, unit]);
  }
  return parts.slice(0, 2).filter(([times]) => times > 0).map((part) => part.join(" ")).join(" ");
}

function bytes(number) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  while (number >= 1024 && at < units.length - 1) {
    number /= 1024;
    at += 1;
  }
  return `${at === 0 ? number : number.toFixed(1)} ${units[at]}`;
}

/** With its sign, and three digits. */
function rate(number) {
  const size = Math.abs(number);
  const digits = size >= 10 ? Math.round(size) : Number(size.toFixed(1));
  if (digits === 0) return "steady";
  return `${number < 0 ? "−" : "+"}${count(digits)}/s`;
}

const NO_PACE = "0/s";

/** Messages a second, without a sign: `0.4/s`, `1,250/s`; empty if nothing moves, or it is not known. */
function pace(number) {
  if (number === undefined || number < 0.05) return "";
  return `${count(number >= 10 ? Math.round(number) : Number(number.toFixed(1)))}/s`;
}

function clock(ms) {
  return new Date(ms).toLocaleTimeString("en-GB");
}

/** The lag of a consumer, with a plus if it was not counted to its end. */
function lagOf(consumer) {
  return count(consumer.lag) + (consumer.lag_is_more ? "+" : "");
}

/** A field of JSON whose name is any text, such as `constructor`. */
function own(object, name) {
  return object !== undefined && Object.hasOwn(object, name) ? object[name] : undefined;
}

/** The number before the hyphen of an id: milliseconds since 1970. */
function timeOf(id) {
  return Number(id.split("-")[0]);
}
