#!/usr/bin/env bash
# Instructions to prepare a statement, next to stock SQLite's: counted by callgrind, exact and comparable between
# commits. Prints a ratio for each statement.
#
# usage: cargo build --release -p ringwood-bench --features peer --bin prepare && bench/prepare.sh [--check]
#   --check   exit with 1 if a ratio is above 1.0
set -euo pipefail
cd "$(dirname "$0")/.."
prepare=${PREPARE:-target/release/prepare}
statements=(
  "SELECT 1"
  "SELECT b FROM t WHERE id=?"
  "SELECT b FROM t WHERE a=?"
  "SELECT t.b, u.name, v.note FROM t JOIN u ON u.t_id=t.id JOIN v ON v.u_id=u.id WHERE t.a=?"
  "INSERT INTO t VALUES(?,?,?,?)"
  "UPDATE t SET b=? WHERE id=?"
  "SELECT a, count(*) FROM t GROUP BY a ORDER BY 2 DESC LIMIT 10"
)
instructions() { # ENGINE COUNT SQL
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$prepare" "$1" "$2" "$3" 2>&1 |
    sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}
cost() { # ENGINE SQL: instructions for one statement
  local few many
  few=$(instructions "$1" 100 "$2")
  many=$(instructions "$1" 600 "$2")
  echo $(((many - few) / 500))
}
worst=0
printf '%10s %10s %6s  %s\n' sqlite ringwood ratio statement
for sql in "${statements[@]}"; do
  theirs=$(cost sqlite "$sql")
  ours=$(cost ringwood "$sql")
  ratio=$(awk "BEGIN{printf \"%.2f\", $ours/$theirs}")
  printf '%10s %10s %6s  %s\n' "$theirs" "$ours" "$ratio" "$sql"
  worst=$(awk "BEGIN{print ($ratio>$worst)?$ratio:$worst}")
done
if [ "${1:-}" = --check ]; then awk "BEGIN{exit !($worst<=1.0)}"; fi
