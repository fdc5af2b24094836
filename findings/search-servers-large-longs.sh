#!/usr/bin/env bash
# osmem-server 0.1.6 (PyPI, speaks OpenSearch's protocol) and noida-db 0.2.3 (PyPI, speaks Elasticsearch's): a field of
# type long, beyond 2^53.
# Guess: a long is a long everywhere, as `term` queries show: sort values come back as they were written, so that
# `search_after` continues behind them, and a range that has one integer in it finds that one.
# Behaviour: osmem compares and returns sort values as doubles. Neighbours get one sort value, so `search_after` skips
# or repeats them, and the largest longs come back negative. Its range finds the excluded bound, too. noida returns sort
# values exactly, but its range goes through doubles: it finds nothing. A program that pages through keys by
# `search_after` or by ranges can be tested on these servers up to 2^53 only.
# Seen: see `want`.
set -eu
dir=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$dir"' EXIT
python3 -m pip install --quiet --no-deps --target "$dir/lib" osmem-server==0.1.6 noida-db==0.2.3 >/dev/null
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
osmem=$(port) noida=$(port)
"$dir/lib/osmem_server/bin/osmem-server" -addr "127.0.0.1:$osmem" -no-ja -no-stdin-watch >/dev/null 2>&1 &
"$dir/lib/noida_db/noida-db" start --data-dir "$dir/data" --only elasticsearch --elasticsearch-port "$noida" \
  >/dev/null 2>&1 &
cat >"$dir/ask.py" <<'PY'
import json, sys, time, urllib.error, urllib.request

def ask(method, path, body=None):
    request = urllib.request.Request(f"http://127.0.0.1:{sys.argv[1]}{path}", method=method,
        data=json.dumps(body).encode() if body else None, headers={"content-type": "application/json"})
    return json.load(urllib.request.urlopen(request, timeout=5))

for _ in range(300):
    try:
        ask("GET", "/")
        break
    except (urllib.error.URLError, ConnectionError, ValueError):
        time.sleep(0.1)
ask("PUT", "/t", {"mappings": {"properties": {"n": {"type": "long"}}}})
for n in (2**53, 2**53 + 1, 2**63 - 2, 2**63 - 1):
    ask("PUT", f"/t/_doc/{n}?refresh=true", {"n": n})

def search(body):
    return ask("POST", "/t/_search", body)["hits"]["hits"]

print("sort ", *(hit["sort"][0] for hit in search({"sort": [{"n": "asc"}]})))
print("range", *(hit["_id"] for hit in search({"query": {"range": {"n": {"gt": 2**53, "lt": 2**53 + 2}}}})))
print("term ", *(hit["_id"] for hit in search({"query": {"term": {"n": 2**53 + 1}}})))
PY
seen=$(for server in osmem noida; do echo "$server"; python3 "$dir/ask.py" "${!server}"; done | sed 's/ *$//')
echo "$seen"
want='osmem
sort  9007199254740992 9007199254740992 -9223372036854775808 -9223372036854775808
range 9007199254740992 9007199254740993
term  9007199254740993
noida
sort  9007199254740992 9007199254740993 9223372036854775806 9223372036854775807
range
term  9007199254740993'
[ "$seen" = "$want" ]
