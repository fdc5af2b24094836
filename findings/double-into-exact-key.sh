#!/usr/bin/env bash
# MariaDB 10.11 (Debian mariadb-server) and PostgreSQL 15 (Debian postgresql-15): a double assigned to an exact
# column.
# Guess: the double's value is rounded to the column's scale. 1.005 is 1.00499999999999989... as a double, so 1.00, as
# Python's Decimal says; and 2.5 becomes the same integer whether it is sent as a double or as a decimal.
# Behaviour: both servers go by the double's decimal digits, so they store 1.01. For integers the rule is another: a
# double goes to the even neighbour (2), a decimal away from zero (3), on both servers. PostgreSQL keeps 15 digits on
# the way to numeric, so 12345678901234568 becomes 12345678901234600, though the same double cast to bigint loses
# nothing. A client that predicts the stored key must know the parameter's wire type, not just its value.
# Seen on 10.11.19 and 15.18: see `want`.
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

want='python    1.00
mariadb   1.01 2 3
postgres  1.01 2 3
postgres  12345678901234600 12345678901234568'
seen=$(
  python3 -c "from decimal import *; print('python   ', Decimal(1.005).quantize(Decimal('0.01')))"
  maria mysql -e "create table t (d decimal(10,2), i int, j int); insert into t values (1.005e0, 2.5e0, 2.5);
    select concat_ws(' ', 'mariadb  ', d, i, j) from t"
  pg -c 'create table t (d numeric(10,2), i int, j int)' -c 'insert into t values (1.005::float8, 2.5::float8, 2.5)' \
    -c "select concat_ws(' ', 'postgres ', d, i, j) from t" \
    -c "select concat_ws(' ', 'postgres ', x::numeric, x::bigint) from (values (12345678901234568::float8)) as v (x)"
)
echo "$seen"
[ "$seen" = "$want" ] || { echo "CHANGED: wanted"; echo "$want"; exit 1; }
