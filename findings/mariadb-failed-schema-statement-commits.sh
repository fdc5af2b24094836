#!/usr/bin/env bash
# MariaDB 10.11 (Debian mariadb-server): schema statements that fail, or do nothing.
# Guess: a statement that fails, or that IF NOT EXISTS turns into nothing, changes nothing, so the transaction stays
# open.
# Behaviour: the transaction is committed before the statement is checked. An unknown table or column, a table that
# exists already, and a CREATE ... IF NOT EXISTS that has nothing to do all commit. Only a text that does not parse
# does not. A caller who gets error 1050 and rolls back has committed. SET autocommit = 1 inside BEGIN does not
# commit: autocommit was on already.
# Seen on 10.11.19: see `want` (statement, error, @@in_transaction after it, rows left after ROLLBACK).
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

want='error 1050, create table kept (n int): open 0, rows 1
create table if not exists kept (n int): open 0, rows 1
error 1051, drop table absent: open 0, rows 1
error 1072, create index i on kept (absent): open 0, rows 1
error 1064, create table: open 1, rows 0
set autocommit = 1: open 1, rows 0'
try() {
  output=$(printf '%s;\n' 'truncate table kept' 'begin' 'insert into kept values (1)' "$1" \
    'set @open = @@in_transaction' 'rollback' \
    "select concat('$1: open ', @open, ', rows ', (select count(*) from kept))" | maria mysql)
  printf '%s\n' "$output" | sed -n 's/^ERROR \([0-9]*\).*/error \1, /p' | tr -d '\n'
  printf '%s\n' "$output" | grep ': open'
}
maria mysql -e 'create table kept (n int) engine = innodb'
seen=$(
  try 'create table kept (n int)'
  try 'create table if not exists kept (n int)'
  try 'drop table absent'
  try 'create index i on kept (absent)'
  try 'create table'
  try 'set autocommit = 1'
)
echo "$seen"
[ "$seen" = "$want" ] || { echo "CHANGED: wanted"; echo "$want"; exit 1; }
