#!/bin/sh
# mypyc 2.4.1 and msgspec 0.22.0, Python 3.11: a struct that is defined in a compiled module loses the options of its class
# statement (`array_like=True`), without an error or a warning. What it is saved as is then another format: an object in
# place of an array. Nothing else about the class differs, so a round trip in one process still succeeds.
# Seen: "interpreted: [1.0,2] compiled: {"value":1.0,"count":2}"
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet "mypy==2.4.1" "msgspec==0.22.0" "setuptools==80.9.0"
cd "$dir"
cat >point.py <<'P'
import msgspec


class Point(msgspec.Struct, array_like=True):
    value: float
    count: int
P
show() { "$dir/venv/bin/python" -c 'import msgspec, point; print(msgspec.json.encode(point.Point(1.0, 2)).decode())'; }
interpreted=$(show)
"$dir/venv/bin/mypyc" point.py >log 2>&1 || { cat log; exit 1; }
"$dir/venv/bin/python" -c 'import point; assert not point.__file__.endswith(".py")'
echo "interpreted: $interpreted compiled: $(show)" | tee seen
echo 'interpreted: [1.0,2] compiled: {"value":1.0,"count":2}' >expected
diff expected seen && echo "as found"
