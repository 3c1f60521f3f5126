#!/bin/sh
# Cython 3.3.1: a Python module that asks for `min` of a list display with a starred part, which CPython runs, is refused:
# "starred expression is not allowed here". The same display in a variable first, or in `sum`, compiles.
# Seen: "CPython: 1; min of the display: refused; of a variable: compiles; sum of the display: compiles"
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet "cython==3.3.1"
cd "$dir"
printf 'def least(a, b):\n    return min([*a, b])\n' >display.py
printf 'def least(a, b):\n    all = [*a, b]\n    return min(all)\n' >variable.py
printf 'def least(a, b):\n    return sum([*a, b])\n' >added.py
compiles() {
  if "$dir/venv/bin/cython" -3 "$1" >log 2>&1; then echo compiles
  elif grep -q "starred expression is not allowed here" log; then echo refused
  else cat log; fi
}
plain=$("$dir/venv/bin/python" -c 'import display; print(display.least([3, 2], 1))')
echo "CPython: $plain; min of the display: $(compiles display.py); of a variable: $(compiles variable.py);" \
  "sum of the display: $(compiles added.py)" | tee seen
echo "CPython: 1; min of the display: refused; of a variable: compiles; sum of the display: compiles" >expected
diff expected seen && echo "as found"
