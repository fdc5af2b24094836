#!/usr/bin/env bash
# PostgreSQL 15 (Debian postgresql-15) with psycopg 3.2.10 (PyPI): CHAR(n) and citext keys, bound as parameters.
# Guess: the value that RETURNING gave finds its row again, with any driver.
# Behaviour: it depends on the type that the driver declares for a string. psycopg declares none, so PostgreSQL takes
# the column's type, and any spelling matches. With the dumper that declares text , CHAR(5) is compared as text without its padding: the returned "ab   " finds nothing, the "ab" that was sent
# does. citext compares case. Even with untyped parameters, IN (VALUES ($1)) finds nothing, as VALUES makes the
# parameter text.
# Seen on 15.18 with psycopg 3.2.10: see `want` (rows found).
set -eu
dir=$(mktemp -d)
chmod 755 "$dir"
test -x /usr/lib/postgresql/15/bin/initdb >/dev/null 2>&1 || \
  { apt-get update -qq && apt-get install -y -qq postgresql-15; } >/dev/null
as() {
  user=$1 folder=$2; shift 2
  if [ "$(id -u)" = 0 ]; then chown "$user" "$folder"; runuser -u "$user" -- "$@"; else "$@"; fi
}
cleanup() { for pid in "$dir"/*/pid "$dir"/*/postmaster.pid; do
    [ -f "$pid" ] || continue
    id=$(head -1 "$pid"); kill "$id"; while kill -0 "$id" 2>/dev/null; do sleep 0.1; done
  done; rm -rf "$dir"; }
trap cleanup EXIT
wait_for() { for _ in $(seq 300); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done; echo "not ready: $*"; exit 1; }
bin=/usr/lib/postgresql/15/bin
mkdir "$dir/pg"
as postgres "$dir/pg" "$bin/initdb" -D "$dir/pg" -U postgres -A trust --no-sync >/dev/null
as postgres "$dir/pg" "$bin/pg_ctl" -D "$dir/pg" -o "-k $dir/pg -c listen_addresses= -c fsync=off" -w -l "$dir/pg/log" \
  start >/dev/null
pg() { "$bin/psql" -h "$dir/pg" -U postgres -XqAt "$@" 2>&1; }
python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --target "$dir/py" \
  'psycopg[binary]==3.2.10'
export PYTHONPATH="$dir/py"

want=''\''ab   '\''
untyped: char returned 1 char sent 1 citext 1 citext in values 0
text: char returned 0 char sent 1 citext 0 citext in values 0'
seen=$(python3 - "$dir" <<'PY'
import sys, psycopg
from psycopg.types.string import StrDumper
c = psycopg.connect(host=sys.argv[1] + "/pg", user="postgres", autocommit=True)
c.execute("create extension citext")
c.execute("create table padded (k char(5) primary key)")
c.execute("create table folded (k citext primary key)")
returned, = c.execute("insert into padded values ('ab') returning k").fetchone()
c.execute("insert into folded values ('Ada')")
def found(table, condition, key):
    return c.execute(f"select count(*) from {table} where k {condition}", (key,)).fetchone()[0]
def report(kind):
    print(kind, "char returned", found("padded", "= %s", returned), "char sent", found("padded", "= %s", "ab"),
        "citext", found("folded", "= %s", "ADA"), "citext in values", found("folded", "in (values (%s))", "ADA"))
print(repr(returned))
report("untyped:")
c.adapters.register_dumper(str, StrDumper)
report("text:")
PY
)
echo "$seen"
[ "$seen" = "$want" ] || { echo "CHANGED: wanted"; echo "$want"; exit 1; }
