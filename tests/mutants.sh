#!/bin/sh
# Changes the code in one place after the other, as a mistake might (`<` for `<=`, an answer of nothing), and runs the tests of
# that package each time. A change that no test notices survives, is printed at the end and makes the exit code 2;
# .cargo/mutants.toml lists those that change nothing. Where a change makes a test wait without an end, it is noticed, and printed too.
#
#     tests/mutants.sh [folder or file].. [-- argument of cargo-mutants]..
#
# It works on a copy of the tree. Without a folder it takes hours: `-- --shard 0/8` tries one part of eight, `-- --iterate` only
# what was not noticed before.
set -eu

cd "$(dirname "$0")/.."
target=$(tests/target.sh)
tools=$(tests/cargo_tool.sh cargo-mutants)

# The code that decides whether a token passes.
if [ "$#" -eq 0 ] || [ "$1" = -- ]; then
    set -- crates/jose/src crates/revocation/src crates/rules/src agent/src/answer agent/src/cache agent/src/decide \
        agent/src/decision.rs agent/src/request.rs "$@"
fi

parts=
while [ "$#" -gt 0 ] && [ "$1" != -- ]; do
    if [ -d "$1" ]; then
        parts="$parts --file ${1%/}/**"
    elif [ -f "$1" ]; then
        parts="$parts --file $1"
    else
        echo "mutants.sh: there is no $1" >&2
        exit 64
    fi
    shift
done
[ "$#" -eq 0 ] || shift

# What is built most often here is linked most often too: without information for debuggers that is half the time.
export CARGO_PROFILE_DEV_DEBUG=false
set -f
# shellcheck disable=SC2086 # each part is two words
if "$tools/cargo-mutants" mutants --output "$target" $parts "$@"; then
    exit 0
else
    status=$?
fi
# 2: some survived. 3: in some the tests did not end, and others may have survived. Any other: nothing can be said.
case $status in
2 | 3) ;;
*) exit "$status" ;;
esac
told() {
    if [ -s "$target/mutants.out/$2.txt" ]; then
        echo "== $1" >&2
        cat "$target/mutants.out/$2.txt" >&2
    fi
}
told "noticed, since the tests no longer end" timeout
told "survived" missed
[ ! -s "$target/mutants.out/missed.txt" ] || exit 2
