#!/usr/bin/env bash
# Runs the test suites of the crates with unsafe code, and of those right above them, under the address and the thread
# sanitizer: `testkit/sanitize.sh [address|thread [CRATE…]]`. Needs the nightly features of the compiler that is there,
# hence RUSTC_BOOTSTRAP; the thread sanitizer also wants the standard library built with it (rust-src), and is run
# without where there is none, which reports nothing false as long as the library's own atomics are seen.
set -eu
cd "$(dirname "$0")/.."
kinds=${1:-address thread}; shift || true
crates=${*:-ringwood-io ringwood-pager ringwood-wal ringwood-btree}
target=$(rustc -vV | sed -n 's/^host: //p')
packages=(); for crate in $crates; do packages+=(-p "$crate"); done
for kind in $kinds; do
    flags="-Zsanitizer=$kind"; extra=()
    if [ "$kind" = thread ]; then
        flags="$flags -Cunsafe-allow-abi-mismatch=sanitizer"
        if [ -d "$(rustc --print sysroot)/lib/rustlib/src/rust/library" ]; then extra=(-Zbuild-std); fi
    fi
    echo "== $kind"
    # Frames are several times as large as without a sanitizer; the tests of deep statements need stacks to match.
    RUST_MIN_STACK=134217728 RUSTC_BOOTSTRAP=1 RUSTFLAGS="$flags" ASAN_OPTIONS=detect_leaks=1:detect_odr_violation=0 TSAN_OPTIONS=halt_on_error=1 \
        LSAN_OPTIONS="suppressions=$PWD/testkit/leaks.supp" \
        cargo test -q --no-fail-fast --target "$target" --target-dir "target/sanitize-$kind" "${extra[@]}" "${packages[@]}" --lib --tests
done
