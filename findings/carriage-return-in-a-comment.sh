#!/usr/bin/env bash
# MariaDB 10.11, PostgreSQL 15 (Debian), SQLite 3.50.4 (PyPI apsw 3.50.4.0), sqlparse 0.5.3 and sqlglot 27.20.0
# (PyPI).
# Guess: a lone carriage return ends a `--` comment everywhere, or nowhere.
# Behaviour: it does on PostgreSQL only; on MariaDB and SQLite the comment goes on. Both parsers end the comment at
# it, sqlglot in each of the three dialects, so for two of three databases they count a column that the server does
# not see.
# Seen on 10.11.19, 15.18, 3.50.4: see `want` (columns of `select 1 -- x<CR>, 2`).
set -eu
dir=$(mktemp -d)
chmod 755 "$dir"
command -v mariadbd >/dev/null 2>&1 || { apt-get update -qq && apt-get install -y -qq mariadb-server; } >/dev/null
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
mkdir "$dir/my"
as mysql "$dir/my" mariadb-install-db --no-defaults --datadir="$dir/my" --auth-root-authentication-method=normal \
  --skip-test-db >/dev/null 2>&1
as mysql "$dir/my" mariadbd --no-defaults --datadir="$dir/my" --socket="$dir/my/s" --skip-networking \
  --pid-file="$dir/my/pid" >/dev/null 2>&1 &
maria() { mariadb --no-defaults -S "$dir/my/s" -uroot -N --force "$@" 2>&1; }
wait_for maria -e 'select 1'
bin=/usr/lib/postgresql/15/bin
mkdir "$dir/pg"
as postgres "$dir/pg" "$bin/initdb" -D "$dir/pg" -U postgres -A trust --no-sync >/dev/null
as postgres "$dir/pg" "$bin/pg_ctl" -D "$dir/pg" -o "-k $dir/pg -c listen_addresses= -c fsync=off" -w -l "$dir/pg/log" \
  start >/dev/null
pg() { "$bin/psql" -h "$dir/pg" -U postgres -XqAt "$@" 2>&1; }
python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --target "$dir/py" \
  apsw==3.50.4.0 pymysql==1.1.2 'psycopg[binary]==3.2.10' sqlparse==0.5.3 sqlglot==27.20.0
export PYTHONPATH="$dir/py"

want='mariadb 1
postgres 2
sqlite 1
sqlglot mysql 2
sqlglot postgres 2
sqlglot sqlite 2
sqlparse 2'
seen=$(python3 - "$dir" <<'PY'
import sys, apsw, psycopg, pymysql, sqlglot, sqlparse
query = "select 1 -- x\r, 2"
maria = pymysql.connect(unix_socket=sys.argv[1] + "/my/s", user="root").cursor()
maria.execute(query)
print("mariadb", len(maria.fetchone()))
print("postgres", len(psycopg.connect(host=sys.argv[1] + "/pg", user="postgres").execute(query).fetchone()))
print("sqlite", len(apsw.Connection(":memory:").execute(query).fetchone()))
for dialect in ["mysql", "postgres", "sqlite"]:
    print("sqlglot", dialect, len(sqlglot.parse_one(query, read=dialect).expressions))
print("sqlparse", sum(str(t) in "12" for t in sqlparse.parse(query)[0].flatten()))
PY
)
echo "$seen"
[ "$seen" = "$want" ] || { echo "CHANGED: wanted"; echo "$want"; exit 1; }
