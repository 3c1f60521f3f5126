#!/bin/sh
# Babel 2.18.0 and 2.19.0, Python 3.11: `get_plural("ar")` has six forms in both, and numbers two of them the other
# way round. 11 to 99 are form 5 for 2.18.0 and form 4 for 2.19.0; 100 to 102 are form 4 and form 5. A catalogue
# keeps its translations by that number. Updated under the new version its header changes and its translations stay
# where they are: 11 readings then get the noun form of 100, with no error and no warning.
# Seen: "2.18.0 {0: 0, 1: 1, 2: 2, 3: 3, 11: 5, 99: 5, 100: 4, 102: 4, 103: 3}"
#       "2.19.0 {0: 0, 1: 1, 2: 2, 3: 3, 11: 4, 99: 4, 100: 5, 102: 5, 103: 3}"
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
for version in 2.18.0 2.19.0; do
  python3 -m venv "$dir/$version"
  "$dir/$version/bin/pip" install --quiet "Babel==$version"
  "$dir/$version/bin/python" - <<'P' >>"$dir/seen"
import gettext

import babel
from babel.messages.plurals import get_plural

form = gettext.c2py(get_plural("ar").plural_expr)
print(babel.__version__, {count: form(count) for count in (0, 1, 2, 3, 11, 99, 100, 102, 103)})
P
done
cat >"$dir/expected" <<'X'
2.18.0 {0: 0, 1: 1, 2: 2, 3: 3, 11: 5, 99: 5, 100: 4, 102: 4, 103: 3}
2.19.0 {0: 0, 1: 1, 2: 2, 3: 3, 11: 4, 99: 4, 100: 5, 102: 5, 103: 3}
X
cat "$dir/seen"
diff "$dir/expected" "$dir/seen" && echo "as found"
