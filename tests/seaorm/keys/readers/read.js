// Reads the payloads of a stream with ioredis, and writes what it understood to another one.
const { Redis } = require("ioredis");

function rendered(value) {
  if (typeof value === "boolean") return String(value);
  if (typeof value === "number") {
    const bits = Buffer.alloc(8);
    bits.writeDoubleBE(value);
    return bits.toString("hex");
  }
  return "'" + Buffer.from(value, "utf8").toString("hex");
}

async function main([url, source, target]) {
  const client = new Redis(url);
  for (const [, [, text]] of await client.xrange(source, "-", "+")) {
    const payload = JSON.parse(text);
    const columns = Object.keys(payload).sort().map((name) => `${name}=${rendered(payload[name])}`);
    await client.xadd(target, "*", "payload", columns.join(" "));
  }
  await client.quit();
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
