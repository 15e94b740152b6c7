#!/usr/bin/env bash
# ci.sh: builds the library, and runs CPython's test_sqlite3 and twenty files of SQLite's own tests on it. What is missing
# is installed by apt where that can be. SQLite's source comes by $RINGWOOD_DATA/tcl/sqlite-source.sh; SQLITE_SOURCE may name
# a tree that is there already.
set -eu
cd "$(dirname "$0")/.."
export RINGWOOD_DATA=${RINGWOOD_DATA:-$PWD/../shared}
target=${CARGO_TARGET_DIR:-target}

wanted=()
command -v tclsh >/dev/null || wanted+=(tcl)
ls /usr/lib/tcltk/*/sqlite3/pkgIndex.tcl /usr/lib/tcltk/sqlite3/pkgIndex.tcl >/dev/null 2>&1 || wanted+=(libsqlite3-tcl)
/usr/bin/python3 -c 'import test.test_sqlite3' 2>/dev/null || wanted+=(python3 libpython3-testsuite)
if [ ${#wanted[@]} -gt 0 ] && command -v apt-get >/dev/null; then
  sudo=$([ "$(id -u)" = 0 ] || echo sudo)
  { $sudo apt-get -q update && $sudo apt-get install -qy --no-install-recommends "${wanted[@]}"; } >/dev/null 2>&1 &
  installs=$!
fi

cargo build --quiet --package ringwood-capi
library=$target/debug/libringwood_sqlite3.so
[ -z "${installs:-}" ] || wait "$installs" || echo "apt could not install: ${wanted[*]}"

python=/usr/bin/python3
"$python" -c 'import test.test_sqlite3' 2>/dev/null || python=python3
capi/tests/python.sh "$library" "$python"

source=${SQLITE_SOURCE:-}
if [ -z "$source" ] && [ -x "$RINGWOOD_DATA/tcl/sqlite-source.sh" ]; then
  source=$("$RINGWOOD_DATA/tcl/sqlite-source.sh" "$target/sqlite") || source=
fi
[ -n "$source" ] || { echo "skipped: no SQLite source"; exit 0; }
capi/tests/tcl.sh "$library" "$source" analyzeE collate2 conflict3 date3 in2 index3 join3 json102 minmax4 rowvalue9 \
  selectB strict2 tkt-9a8b09f8e6 triggerF upsert5 wal8 where7 whereB windowB without_rowid6
