#!/usr/bin/env bash
# tcl.sh LIBRARY SOURCE [NAME…]: SQLite's own tests on this library. SOURCE is SQLite's source tree with its test folder;
# without names all of files.tsv. The runner and its shim are in $RINGWOOD_DATA/tcl; tclsh and libsqlite3-tcl are needed.
set -eu
library=$(realpath "${1:?usage: tcl.sh libringwood_sqlite3.so sqlite-source [name...]}")
source=${2:?usage: tcl.sh libringwood_sqlite3.so sqlite-source [name...]}
shift 2
runner=${RINGWOOD_DATA:-../shared}/tcl
[ -f "$runner/run_all.py" ] || { echo "skipped: no runner in $runner"; exit 0; }
[ -d "$source/test" ] || { echo "skipped: no SQLite source in $source"; exit 0; }
command -v tclsh >/dev/null || { echo "skipped: no tclsh"; exit 0; }
[ $# -gt 0 ] || set -- $(cut -f1 "$runner/files.tsv")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
ln -s "$library" "$folder/libsqlite3.so.0"
files=()
for name in "$@"; do files+=("$source/test/$name.test"); done
"$runner/run_all.py" "$folder/out.tsv" -j 2 -t 120 --so "$folder" "${files[@]}"
awk -F'\t' '$2 != "PASS" { print }' "$folder/out.tsv"
awk -F'\t' '{ files++; passed += $2 == "PASS"; ok += $3 } END { print passed " of " files " files, " ok " assertions" }' "$folder/out.tsv"
