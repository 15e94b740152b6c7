#!/usr/bin/env bash
# tcl.sh LIBRARY SOURCE [NAME…]: SQLite's own tests on this library. SOURCE is SQLite's source tree with its test folder;
# without names all of files.tsv. The runner and its shim are in $RINGWOOD_DATA/tcl; tclsh and libsqlite3-tcl are needed.
# With STOCK=FOLDER (of a stock libsqlite3.so.0) they run there too: what fails on both is the runner's.
# Fails if an assertion fails that stock SQLite passes, or a file ends otherwise than there.
set -eu
library=$(realpath "${1:?usage: tcl.sh libringwood_sqlite3.so sqlite-source [name...]}")
source=$(realpath "${2:?usage: tcl.sh libringwood_sqlite3.so sqlite-source [name...]}")
shift 2
runner=$(realpath "${RINGWOOD_DATA:-../shared}/tcl")
[ -f "$runner/run_all.py" ] || { echo "skipped: no runner in $runner"; exit 0; }
[ -d "$source/test" ] || { echo "skipped: no SQLite source in $source"; exit 0; }
command -v tclsh >/dev/null || { echo "skipped: no tclsh"; exit 0; }
[ $# -gt 0 ] || mapfile -t names < <(cut -f1 "$runner/files.tsv")
[ $# -eq 0 ] || names=("$@")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/ours"
ln -s "$library" "$folder/ours/libsqlite3.so.0"
files=()
for name in "${names[@]}"; do files+=("$source/test/$name.test"); done
run() { # FOLDER OUT: a line for each file, its logs in OUT.logs
  "$runner/run_all.py" "$2" -j 2 -t 120 --so "$1" --keep "$2.logs" "${files[@]}"
}
run "$folder/ours" "$folder/ours.tsv"
if [ -n "${STOCK:-}" ]; then run "$(realpath "$STOCK")" "$folder/stock.tsv"; fi
python3 - "$folder" <<'PYTHON'
import os, re, sys
folder = sys.argv[1]
def results(which):
    found = {}
    path = f"{folder}/{which}.tsv"
    for row in open(path) if os.path.exists(path) else []:
        name, status, passed = row.split("\t")[:3]
        log = open(f"{path}.logs/{name}.log", errors="replace").read()
        failed = set(re.findall(r"^! (\S+) expected", log, re.M)) | set(re.findall(r"^(\S+)\.\.\.\nError:", log, re.M))
        for line in re.findall(r"^!Failures on these tests:(.*)", log, re.M):
            failed |= set(line.split())
        ends = status if status not in ("PASS", "FAIL") else "ends"
        found[name] = (ends, int(passed), failed)
    return found
ours, stock = results("ours"), results("stock")
whole = passed = expected = 0
for name, (ends, count, failed) in ours.items():
    stock_ends, stock_count, stock_failed = stock.get(name, ("ends", 0, set()))
    passed += count
    expected += stock_count
    new = sorted(failed - stock_failed)
    if new or ends != stock_ends:
        print(f"{name}: {ends}, fails {' '.join(new)}")
    else:
        whole += 1
print(f"{whole} of {len(ours)} files, {passed} assertions" + (f" of {expected}" if stock else ""))
sys.exit(whole < len(ours))
PYTHON
