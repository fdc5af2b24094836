#!/usr/bin/env bash
# SQLite 3.50.4 (PyPI apsw 3.50.4.0): a text key in a column declared DECIMAL(20,2).
# Guess: SQLite ignores the scale but keeps the text that it was given, or rounds it as a double for display only.
# Behaviour: NUMERIC affinity turns the text into a double, and, if that is whole, into an integer. Two amounts that
# differ become one key: the second is refused as a duplicate, and a query for either finds the one row. 1.50 comes
# back as 1.5, which is not the text that was sent.
# Seen on 3.50.4: see `want`.
set -eu
dir=$(mktemp -d)
chmod 755 "$dir"
trap 'rm -rf "$dir"' EXIT
python3 -m pip install -q --disable-pip-version-check --root-user-action=ignore --target "$dir/py" \
  apsw==3.50.4.0
export PYTHONPATH="$dir/py"

want='1.50 stored as 1.5 real
12345678901234567.89 stored as 12345678901234568 integer
12345678901234568.10 is a duplicate
12345678901234567.89 finds 12345678901234568
12345678901234568.10 finds 12345678901234568'
seen=$(python3 - "$dir" <<'PY'
import apsw
c = apsw.Connection(":memory:")
c.execute("create table prices (k decimal(20,2) primary key)")
for key in ["1.50", "12345678901234567.89", "12345678901234568.10"]:
    try:
        print(key, "stored as", *c.execute("insert into prices values (?) returning k, typeof(k)", (key,)).fetchone())
    except apsw.ConstraintError:
        print(key, "is a duplicate")
for key in ["12345678901234567.89", "12345678901234568.10"]:
    print(key, "finds", c.execute("select k from prices where k = ?", (key,)).get)
PY
)
echo "$seen"
[ "$seen" = "$want" ] || { echo "CHANGED: wanted"; echo "$want"; exit 1; }
