#!/usr/bin/env bash
# PostgreSQL 15 (Debian postgresql-15) with psycopg 3.2.10 and pg8000 1.31.5 (PyPI): commit() after a failed
# statement.
# Guess: COMMIT of a transaction that cannot be committed is an error, in the server or at least in every driver.
# Behaviour: the server answers COMMIT with success and the tag ROLLBACK. psycopg's commit() passes that as success,
# and the row is not there; the tag is visible only if COMMIT is sent as a statement. pg8000 looks at the
# transaction's state and raises InterfaceError. A caller who caught the statement's error cannot tell by commit()
# whether his row exists.
# Seen on 15.18: see `want`.
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
  'psycopg[binary]==3.2.10' pg8000==1.31.5
export PYTHONPATH="$dir/py"

want='psycopg commit(): None, rows 0
psycopg COMMIT: ROLLBACK, rows 0
pg8000 commit(): InterfaceError, rows 0'
seen=$(python3 - "$dir" <<'PY'
import sys, psycopg, pg8000.dbapi
folder = sys.argv[1] + "/pg"
def attempt(name, connection, commit):
    cursor = connection.cursor()
    cursor.execute("create table if not exists t (k int primary key)")
    connection.commit()
    try:
        cursor.execute("insert into t values (1)")
        cursor.execute("insert into t values (1)")
    except Exception:
        pass
    try:
        result = commit(connection)
    except Exception as error:
        result = type(error).__name__
        connection.rollback()
    cursor.execute("select count(*) from t")
    print(f"{name}: {result}, rows {cursor.fetchone()[0]}")
    connection.close()
attempt("psycopg commit()", psycopg.connect(host=folder, user="postgres"), lambda c: c.commit())
attempt("psycopg COMMIT", psycopg.connect(host=folder, user="postgres"), lambda c: c.execute("commit").statusmessage)
attempt("pg8000 commit()", pg8000.dbapi.connect("postgres", unix_sock=folder + "/.s.PGSQL.5432"), lambda c: c.commit())
PY
)
echo "$seen"
[ "$seen" = "$want" ] || { echo "CHANGED: wanted"; echo "$want"; exit 1; }
