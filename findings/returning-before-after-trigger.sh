#!/usr/bin/env bash
# PostgreSQL 15 (Debian postgresql-15) and SQLite 3.50.4 (PyPI apsw 3.50.4.0): RETURNING and an AFTER trigger.
# Guess: RETURNING shows the row as the statement leaves it.
# Behaviour: an AFTER INSERT trigger that rewrites the key has its effect within the statement, but RETURNING shows
# the key from before it, on both.
# Seen on 15.18 and 3.50.4: see `want`.
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
  apsw==3.50.4.0
export PYTHONPATH="$dir/py"

want='postgres returned ULM
postgres stored ulm
sqlite returned ULM
sqlite stored ulm'
seen=$(
  pg -c 'create table t (id serial, k text primary key)' \
    -c 'create function lower_key() returns trigger language plpgsql as $$
        begin update t set k = lower(k) where k = new.k; return null; end $$' \
    -c 'create trigger after_insert after insert on t for each row execute function lower_key()' \
    -c "insert into t (k) values ('ULM') returning 'postgres returned ' || k" -c "select 'postgres stored ' || k from t"
  python3 -c "import apsw; c = apsw.Connection(':memory:')
c.execute('''create table t (id integer, k text primary key);
create trigger after_insert after insert on t begin update t set k = lower(k) where k = new.k; end''')
print('sqlite returned', c.execute('''insert into t (k) values ('ULM') returning k''').get)
print('sqlite stored', c.execute('select k from t').get)"
)
echo "$seen"
[ "$seen" = "$want" ] || { echo "CHANGED: wanted"; echo "$want"; exit 1; }
