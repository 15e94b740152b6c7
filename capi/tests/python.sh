#!/usr/bin/env bash
# python.sh LIBRARY [PYTHON]: CPython's own test_sqlite3 on this library. PYTHON is one whose _sqlite3 is linked
# dynamically, and that has its tests (Debian: libpython3-testsuite; pyenv's have them).
set -eu
library=$(realpath "${1:?usage: python.sh libringwood_sqlite3.so [python3]}")
python=${2:-python3}
module=$("$python" -c 'import _sqlite3; print(_sqlite3.__file__)') || { echo "skipped: no _sqlite3 in $python"; exit 0; }
ldd "$module" | grep -q libsqlite3.so.0 || { echo "skipped: $module is not linked to libsqlite3.so.0"; exit 0; }
"$python" -c 'import test.test_sqlite3' 2>/dev/null || { echo "skipped: $python has no tests"; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
ln -s "$library" "$folder/libsqlite3.so.0"
cd "$folder"
# test_dump_virtual_tables wants FTS4, which this library does not have.
LD_LIBRARY_PATH="$folder" "$python" -m test test_sqlite3 -i test_dump_virtual_tables
