#!/usr/bin/env bash
# The tests that roll their cases, for EXPLORE_SECONDS (600), each round with another seed than `make test` has. A find names its
# seed; PROPTEST_RNG_SEED repeats it.
set -euo pipefail
export RUST_BACKTRACE=0
cd "$(dirname "$0")/.."

until=$((SECONDS + ${EXPLORE_SECONDS:-600}))
rounds=0
while [ "$SECONDS" -lt "$until" ]; do
    PROPTEST_RNG_SEED=$(od -An -N6 -tu8 /dev/urandom | tr -d ' ')
    export PROPTEST_RNG_SEED
    if ! cargo test --quiet --package revocation --test histories ||
        ! cargo test --quiet --package jose --test suite properties ||
        ! cargo test --quiet --package rules --test index --test properties ||
        ! cargo test --quiet --package jwt-agent --test spop ||
        ! cargo test --quiet --package token-server --lib feed::tests::readers; then
        echo "found with PROPTEST_RNG_SEED=$PROPTEST_RNG_SEED" >&2
        exit 1
    fi
    rounds=$((rounds + 1))
done
echo "$rounds rounds"
