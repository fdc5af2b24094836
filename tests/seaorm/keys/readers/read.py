# Reads the payloads of a stream with redis-py, and writes what it understood to another one.
import json
import struct
import sys

import redis


def rendered(value):
    if value is True or value is False:
        return str(value).lower()
    if isinstance(value, (int, float)):
        return struct.pack(">d", value).hex()
    return "'" + value.encode("utf-8").hex()


url, source, target = sys.argv[1:]
client = redis.Redis.from_url(url)
for _, fields in client.xrange(source):
    payload = json.loads(fields[b"payload"])
    client.xadd(target, {"payload": " ".join(f"{name}={rendered(payload[name])}" for name in sorted(payload))})
