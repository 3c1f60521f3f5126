#!/bin/sh
# glibc 2.36 and 2.43, x86-64, any Python: `exp` of the same argument has another last bit on a processor without FMA.
# The library picks a variant by processor when it is loaded (GLIBC_TUNABLES can turn FMA off). Of 20,000 arguments
# from 0 to -5, 16 differ, by one unit in the last place: no error, but not the same bytes on each machine.
# Needs Linux with glibc and a processor with FMA.
# Seen: "16 of 20000 differ, by 1 unit in the last place at most"
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/exp.py" <<'P'
import math

print(*(math.exp(-5.0 * place / 20_000).hex() for place in range(20_000)))
P
python3 "$dir/exp.py" >"$dir/with"
GLIBC_TUNABLES=glibc.cpu.hwcaps=-FMA,-FMA4,-AVX2 python3 "$dir/exp.py" >"$dir/without"
python3 - "$dir/with" "$dir/without" <<'P' | tee "$dir/seen"
import math
import sys
from pathlib import Path

one, two = ([float.fromhex(each) for each in Path(name).read_text().split()] for name in sys.argv[1:])
apart = [abs(a - b) / math.ulp(a) for a, b in zip(one, two, strict=True) if a != b]
print(len(apart), "of", len(one), "differ, by", int(max(apart, default=0)), "unit in the last place at most")
P
echo "16 of 20000 differ, by 1 unit in the last place at most" >"$dir/expected"
diff "$dir/expected" "$dir/seen" && echo "as found"
