#!/usr/bin/env bash
# MariaDB 10.11 (Debian mariadb-server), PostgreSQL 15 (Debian postgresql-15), SQLite 3.50.4 (PyPI apsw 3.50.4.0).
# Guess: two open savepoints of one name nest, as nested scopes with a fixed name need: RELEASE ends the inner one,
# and ROLLBACK TO then reaches the outer one.
# Behaviour: so it is on PostgreSQL and SQLite. MariaDB forgets the outer savepoint when the inner is set. After
# RELEASE, ROLLBACK TO fails with error 1305, the same error as after a transaction that the server has ended, though
# this one is still open, and the rows of the outer scope are committed. Error 1305 is thus no proof that a
# transaction has ended.
# Seen on 10.11.19, 15.18 and 3.50.4: see `want` (rows left of 3: one before, one in the outer, one in the inner
# scope).
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
  apsw==3.50.4.0
export PYTHONPATH="$dir/py"

want='error 1305
open 1
mariadb 2
postgres 1
sqlite 1'
sql='begin; insert into t values (1); savepoint s; insert into t values (2); savepoint s; insert into t values (3);
  rollback to s; release savepoint s;'
seen=$(
  maria mysql <<SQL >"$dir/output"
create table t (n int) engine = innodb;
$sql
rollback to s;
select concat('open ', @@in_transaction);
commit;
select concat('mariadb ', count(*)) from t;
SQL
  sed -n 's/^ERROR \([0-9]*\).*/error \1/p' "$dir/output"
  grep -e '^open' -e '^mariadb' "$dir/output"
  pg -c 'create table t (n int)' -c "$sql rollback to s; commit" -c "select 'postgres ' || count(*) from t"
  python3 -c "import apsw, sys; c = apsw.Connection(':memory:'); c.execute('create table t (n int)')
c.execute(sys.argv[1] + 'rollback to s; commit'); print('sqlite', c.execute('select count(*) from t').get)" "$sql"
)
echo "$seen"
[ "$seen" = "$want" ] || { echo "CHANGED: wanted"; echo "$want"; exit 1; }
