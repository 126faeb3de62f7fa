#!/bin/sh
# Tries what threads share without a lock in every order of their steps. `--cfg loom` puts loom's atomics in the place of the
# standard library's, in the tests of one crate alone: what it depends on is not built anew.
set -eu

cd "$(dirname "$0")/.."
program=$("${CARGO:-cargo}" rustc --package revocation --lib --profile test --quiet --message-format=json -- --cfg loom |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
[ -n "$program" ] || {
    echo "loom.sh: cargo made no program" >&2
    exit 1
}
models=$("$program" --list | grep -c '^lease::orders::.*: test$') || {
    echo "loom.sh: there is nothing to try" >&2
    exit 1
}
"$program" --quiet
echo "loom: $models models hold in every order"
