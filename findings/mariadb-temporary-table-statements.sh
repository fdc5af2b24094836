#!/usr/bin/env bash
# MariaDB 10.11 (Debian mariadb-server): which statements on a temporary table end the transaction.
# Guess: a temporary table is private to the connection, so no statement about it commits, as with CREATE TEMPORARY
# TABLE.
# Behaviour: CREATE TEMPORARY and DROP TEMPORARY keep the transaction. ALTER TABLE, CREATE INDEX, TRUNCATE, and DROP
# TABLE without the word TEMPORARY commit it, though they touch the same private table. So the text does not tell
# whether a statement commits unless its reader knows the word TEMPORARY, and a temporary table does not make ALTER
# safe. After CREATE TEMPORARY TABLE ... AS SELECT and ROLLBACK, the source row is gone and its copy is still there.
# Seen on 10.11.19: see `want` (statement, @@in_transaction after it, rows left in the ordinary table after ROLLBACK).
set -eu
dir=$(mktemp -d)
chmod 755 "$dir"
command -v mariadbd >/dev/null 2>&1 || { apt-get update -qq && apt-get install -y -qq mariadb-server; } >/dev/null
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

want='create temporary table another (x int): open 1, rows 0
drop temporary table private: open 1, rows 0
drop table private: open 0, rows 1
alter table private add y int: open 0, rows 1
create index i on private (x): open 0, rows 1
truncate table private: open 0, rows 1
copied: kept 0, copied 1'
try() { maria mysql -e "truncate table kept; create or replace temporary table private (x int);
  begin; insert into kept values (1); $1; set @open = @@in_transaction; rollback;
  select concat('$1: open ', @open, ', rows ', (select count(*) from kept));"; }
maria mysql -e 'create table kept (n int) engine = innodb'
seen=$(
  try 'create temporary table another (x int)'
  try 'drop temporary table private'
  try 'drop table private'
  try 'alter table private add y int'
  try 'create index i on private (x)'
  try 'truncate table private'
  maria mysql -e "truncate table kept; begin; insert into kept values (1);
    create temporary table copied as select * from kept; rollback;
    select concat('copied: kept ', (select count(*) from kept), ', copied ', (select count(*) from copied))"
)
echo "$seen"
[ "$seen" = "$want" ] || { echo "CHANGED: wanted"; echo "$want"; exit 1; }
