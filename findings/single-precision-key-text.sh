#!/usr/bin/env bash
# MariaDB 10.11 (Debian mariadb-server) and PostgreSQL 15 (Debian postgresql-15): the text of a FLOAT / REAL key.
# Guess: the number does not match (0.1 is a double there), but the text that the server itself printed does, as it is
# converted to the column's type.
# Behaviour: PostgreSQL does so for a quoted literal. MariaDB converts column and text to doubles, so its own text
# finds nothing, and a DELETE by it is a success with no row, while an INSERT of the same text is refused as a
# duplicate. CAST(... AS FLOAT) finds the row.
# Seen on 10.11.19 and 15.18: see `want` (rows found).
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

want='mariadb prints 0.1
mariadb number 0
mariadb text 0
mariadb cast 1
mariadb deleted 0
mariadb insert: error 1062
postgres number 0
postgres text 1'
seen=$(
  maria mysql -e "create table t (k float primary key); insert into t values (0.1);
    select concat('mariadb prints ', k) from t;
    select concat('mariadb number ', count(*)) from t where k = 0.1;
    select concat('mariadb text ', count(*)) from t where k = '0.1';
    select concat('mariadb cast ', count(*)) from t where k = cast('0.1' as float);
    delete from t where k = '0.1'; select concat('mariadb deleted ', row_count()); insert into t values ('0.1')" \
    | sed 's/^ERROR \([0-9]*\).*/mariadb insert: error \1/' | grep -v -e '^-*$' -e '^insert'
  pg -c 'create table t (k real primary key)' -c 'insert into t values (0.1)' \
    -c "select 'postgres number ' || count(*) from t where k = 0.1" \
    -c "select 'postgres text ' || count(*) from t where k = '0.1'"
)
echo "$seen"
[ "$seen" = "$want" ] || { echo "CHANGED: wanted"; echo "$want"; exit 1; }
