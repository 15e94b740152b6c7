#!/usr/bin/env bash
# Runs every fuzz target for a while: `fuzz/ci.sh [SECONDS [TARGET…]]`, twenty seconds each by default.
#
# Exits with 1 where a target finds something, or where the canary does not. Findings are in fuzz/artifacts/TARGET.
# Runs begin from SEED (an environment variable; 1 by default, 0 draws one), so that a run made twice goes the same way.
# The first build takes four to five minutes of two cores: the bundled SQLite and the engine, with sanitizers.
set -u
cd "$(dirname "$0")"
export RUSTC_BOOTSTRAP=1
# The bundled SQLite has two static tables of one name, which it never mixes up.
export ASAN_OPTIONS=detect_odr_violation=0
seconds=${1:-20}; shift || true
seed=${SEED:-1}
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    mapfile -t targets < <(grep -A1 '^\[\[bin\]\]' Cargo.toml | sed -n 's/^name = "\(.*\)"/\1/p')
fi
log=$(mktemp); trap 'rm -f "$log"' EXIT
cargo fuzz build >"$log" 2>&1 || { tail -40 "$log"; exit 1; }
status=0
for target in "${targets[@]}"; do
    dictionary=file.dict
    case $target in sql_*) dictionary=sql.dict ;; esac
    mkdir -p "corpus/$target" "artifacts/$target"
    "$(ls -d target/*/release | head -1)/$target" "corpus/$target" "seeds/$target" \
        -dict="dict/$dictionary" -artifact_prefix="artifacts/$target/" -max_total_time="$seconds" -seed="$seed" \
        -timeout=20 -rss_limit_mb=2048 -close_fd_mask=3 >"$log" 2>&1
    found=$?
    runs=$(grep -ao 'stat::number_of_executed_units: *[0-9]*\|Done [0-9]* runs' "$log" | tail -1)
    if [ "$target" = canary ]; then
        if [ $found -eq 0 ]; then echo "canary: did not sing"; status=1; else echo "canary: sings, as it must"; fi
        rm -rf artifacts/canary
    elif [ $found -ne 0 ]; then
        echo "$target: FOUND"; grep -av '^#' "$log" | cut -c1-2000 | tail -40; status=1
    else
        echo "$target: clean, $runs"
    fi
done
exit $status
