#!/usr/bin/env bash
# SQLite 3.50.4 (PyPI apsw 3.50.4.0): a key declared COLLATE NOCASE.
# Guess: equality is symmetric, so the key's collation decides wherever the key stands, and a join does not depend on
# the order of its tables.
# Behaviour: between two columns the left one decides, and an ordinary TEXT column counts as having a collation
# (BINARY). `key = other` matches, `other = key` does not; JOIN ... USING finds the row or not by the order of the
# tables; a value compared with `other IN (SELECT key ...)` is compared in binary. A literal has no collation, so
# there the side is free. A table of wanted keys, joined to find rows again, must stand on the right, or its column
# must be NOCASE too.
# Seen on 3.50.4: see `want` (rows found; the key is Ada, the other column has ADA).
set -eu
dir=$(mktemp -d)
chmod 755 "$dir"
trap 'rm -rf "$dir"' EXIT
python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --target "$dir/py" \
  apsw==3.50.4.0
export PYTHONPATH="$dir/py"

want='1 people where '\''ADA'\'' = k
1 people join wanted on people.k = wanted.k
0 people join wanted on wanted.k = people.k
1 people join wanted using (k)
0 wanted join people using (k)
1 people where k in (select k from wanted)
0 wanted where k in (select k from people)'
seen=$(python3 - "$dir" <<'PY'
import apsw
c = apsw.Connection(":memory:")
c.execute("create table people (k text primary key collate nocase); insert into people values ('Ada')")
c.execute("create table wanted (k text); insert into wanted values ('ADA')")
for query in [
    "people where 'ADA' = k",
    "people join wanted on people.k = wanted.k",
    "people join wanted on wanted.k = people.k",
    "people join wanted using (k)",
    "wanted join people using (k)",
    "people where k in (select k from wanted)",
    "wanted where k in (select k from people)",
]:
    print(c.execute("select count(*) from " + query).get, query)
PY
)
echo "$seen"
[ "$seen" = "$want" ] || { echo "CHANGED: wanted"; echo "$want"; exit 1; }
