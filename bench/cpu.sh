#!/usr/bin/env bash
# CPU of the ringwood shell against stock sqlite3: user + system time of the whole process, both in
# this run, on the same prepared database. Prints a ratio for each load and their geometric mean.
#
# usage: bench/cpu.sh [--check] [--runs N] [LOAD...]
#   --check   exit with 1 if a ratio is above 2.0 or the geometric mean above 1.5
#   --runs N  the best of N runs of each (default 3)
# RINGWOOD and SQLITE3 name the two shells (default target/release/ringwood and sqlite3).
set -euo pipefail
cd "$(dirname "$0")/.."
ringwood=${RINGWOOD:-target/release/ringwood}
sqlite=${SQLITE3:-sqlite3}
check=0 runs=3 loads=()
while [ $# -gt 0 ]; do
  case $1 in
    --check) check=1 ;;
    --runs) runs=$2; shift ;;
    -h|--help) sed -n '2,8p' "$0"; exit 0 ;;
    *) loads+=("$1") ;;
  esac
  shift
done
[ ${#loads[@]} -gt 0 ] || loads=(insert insert_select scan rowid_lookup index_lookup index_join)
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT

# The prepared database: a million rows, an index, a table of probes.
"$sqlite" "$dir/base.db" >/dev/null <<'SQL'
PRAGMA journal_mode=WAL;
CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT, c REAL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1000000)
  INSERT INTO t SELECT i, (i*7919)%1000003, 'row '||((i*104729)%1000000), i*0.5 FROM n;
CREATE INDEX t_a ON t(a);
CREATE TABLE probe(k INT);
INSERT INTO probe SELECT (id*15485863)%1000003 FROM t WHERE id<=300000;
PRAGMA wal_checkpoint(TRUNCATE);
SQL

script() { # LOAD: the statements on stdout
  case $1 in
    insert) echo "CREATE TABLE x(id INTEGER PRIMARY KEY, a INT, b TEXT, c REAL); BEGIN;"
      awk 'BEGIN{for(i=1;i<=1000000;i++) printf "INSERT INTO x VALUES(%d,%d,'\''row number %d'\'',%d.25);\n", i, (i*7919)%1000003, i, i%1000}'
      echo "COMMIT;" ;;
    insert_select) echo "CREATE TABLE y(id INTEGER PRIMARY KEY, a INT, b TEXT, c REAL); INSERT INTO y SELECT * FROM t;" ;;
    scan) for _ in 1 2 3; do echo "SELECT count(*), sum(a), min(c), max(length(b)) FROM t WHERE a%3<>1;"; done ;;
    rowid_lookup) awk 'BEGIN{for(i=1;i<=200000;i++) printf "SELECT b FROM t WHERE id=%d;\n", (i*7919)%1000000+1}' ;;
    index_lookup) awk 'BEGIN{for(i=1;i<=200000;i++) printf "SELECT b FROM t WHERE a=%d;\n", (i*7919)%1000003}' ;;
    index_join) echo "SELECT count(*), sum(t.c), max(t.b) FROM probe JOIN t ON t.a=probe.k;" ;;
    *) echo "unknown load $1" >&2; exit 2 ;;
  esac
}

TIMEFORMAT='%U %S'
cpu() { # SHELL SCRIPT: best user+system milliseconds over the runs; the output stays in $dir/out
  local best=0 t
  for _ in $(seq "$runs"); do
    cp "$dir/base.db" "$dir/run.db"; rm -f "$dir/run.db-wal" "$dir/run.db-shm"
    t=$( { time "$1" "$dir/run.db" <"$2" >"$dir/out" 2>"$dir/err"; } 2>&1 ) || { cat "$dir/err" >&2; exit 1; }
    t=$(awk '{print int(($1+$2)*1000+0.5)}' <<<"$t")
    if [ "$best" = 0 ] || [ "$t" -lt "$best" ]; then best=$t; fi
  done
  echo "$best"
}

printf '%-14s %10s %10s %7s\n' load sqlite3_ms ringwood_ms ratio
ratios=()
for load in "${loads[@]}"; do
  script "$load" >"$dir/load.sql"
  theirs=$(cpu "$sqlite" "$dir/load.sql"); cp "$dir/out" "$dir/expect"
  ours=$(cpu "$ringwood" "$dir/load.sql")
  cmp -s "$dir/out" "$dir/expect" || { echo "$load: the two shells print different results" >&2; exit 1; }
  ratio=$(awk "BEGIN{printf \"%.2f\", $ours/$theirs}")
  ratios+=("$ratio")
  printf '%-14s %10s %10s %7s\n' "$load" "$theirs" "$ours" "$ratio"
done
printf '%s\n' "${ratios[@]}" | awk -v check=$check '
  {s+=log($1); if ($1>m) m=$1}
  END {g=exp(s/NR); printf "geometric mean %.2f, largest %.2f\n", g, m; exit (check && (g>1.5 || m>2.0))}'
