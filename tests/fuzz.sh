#!/usr/bin/env bash
# Runs every fuzz target for FUZZ_SECONDS (60), or the targets that are named as arguments. A find fails
# with its input under fuzz/artifacts; what the run learned stays in cargo's target folder, not in the committed corpus.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${FUZZ_SECONDS:-60}
if [ "$#" -eq 0 ]; then
    set -- token header claims key_set jwe spop_frame spop_connection rules agent_settings server_settings forwarded security_event proof proof_uri
fi

tools=$(tests/cargo_tool.sh cargo-fuzz)
PATH="$tools:$PATH"

# The sanitizer needs flags that a stable compiler keeps for nightly.
export RUSTC_BOOTSTRAP=1
# The versions that the project itself is built with.
cp Cargo.lock fuzz/Cargo.lock

# A target that cannot be built has found nothing.
for target; do
    if ! cargo fuzz build "$target"; then
        echo "fuzz.sh: the target $target cannot be built, and none was run" >&2
        exit 1
    fi
done

learned=$(tests/target.sh)/fuzz-learned
failed=
for target; do
    mkdir -p "$learned/$target"
    echo "== $target, $seconds s"
    if ! cargo fuzz run "$target" "$learned/$target" "fuzz/corpus/$target" -- \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=16384 -print_final_stats=1 -verbosity=0; then
        failed="$failed $target"
    fi
done

if [ -n "$failed" ]; then
    echo "found something:$failed; the inputs are under fuzz/artifacts" >&2
    exit 1
fi
