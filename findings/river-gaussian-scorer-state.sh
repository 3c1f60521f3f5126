#!/bin/sh
# river 0.26.1, Python 3.11: two `GaussianScorer`s that learned the same are not saved as the same bytes. Each holds a
# `proba.Gaussian` made without a seed, so a random generator seeded by the system, which scoring never asks and which is
# most of the pickle. The scorer has no parameter to seed or leave it out.
# Seen: "same scores True, same bytes False, more than half of the bytes are the generator True"
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet "river==0.26.1"
"$dir/venv/bin/python" - <<'P' | tee "$dir/seen"
import pickle

from river.anomaly import GaussianScorer

one, two = GaussianScorer(grace_period=2), GaussianScorer(grace_period=2)
for value in (1.0, 2.0, 4.0):
    one.learn_one(None, value)
    two.learn_one(None, value)
first, second = pickle.dumps(one), pickle.dumps(two)
scores = one.score_one(None, 5.0) == two.score_one(None, 5.0)
generator = len(pickle.dumps(one.gaussian._rng))
print(
    f"same scores {scores}, same bytes {first == second},",
    f"more than half of the bytes are the generator {generator > len(first) / 2}",
)
P
echo "same scores True, same bytes False, more than half of the bytes are the generator True" >"$dir/expected"
diff "$dir/expected" "$dir/seen" && echo "as found"
