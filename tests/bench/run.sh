#!/bin/sh
# Runs the parts of `make bench`, all of them or those that are named. Each prints what it finds and puts its figures
# into bench/results.json; a part that cannot run is told at the end, after the others had their turn.
set -eu

cd "$(dirname "$0")/../.."
cargo="${CARGO:-cargo}"
default='jose rules edge edge-hit signatures delay streams signals opaque feed decisions memory forward-auth'

for part in ${*:-$default}; do
    case $part in
    jose | rules | edge | edge-hit | signatures | delay | streams | signals | opaque | feed | decisions | memory | forward-auth | report) ;;
    *)
        echo "no such part: $part; there are: $default report" >&2
        exit 2
        ;;
    esac
done

$cargo build --release --package jwt-agent --package token-server --bins
$cargo build --release --package jwt-agent --example do_nothing

run() {
    echo "== $1"
    case $1 in
    jose) $cargo bench --package integration-tests --bench jose ;;
    rules)
        $cargo build --release --package rules --example scale
        $cargo bench --package integration-tests --bench rules
        ;;
    report) ;; # at the end, always
    edge | signatures | delay | streams)
        BENCH_HAPROXY=$(tests/versions.sh fetch) || return 1
        export BENCH_HAPROXY
        $cargo bench --package integration-tests --bench compare -- "$1"
        ;;
    edge-hit)
        # Those that an earlier run of tests/versions.sh has fetched as well, as far as they are of other branches.
        BENCH_HAPROXY=$(tests/versions.sh fetch) || return 1
        for program in "$(tests/target.sh)"/haproxy/*/haproxy; do
            [ ! -x "$program" ] || BENCH_HAPROXY="$BENCH_HAPROXY $program"
        done
        export BENCH_HAPROXY
        $cargo bench --package integration-tests --bench compare -- edge-hit
        ;;
    forward-auth)
        tests/forward_auth.sh >/dev/null || return 1
        $cargo bench --package integration-tests --bench compare -- forward-auth
        ;;
    *) $cargo bench --package integration-tests --bench compare -- "$1" ;;
    esac
}

failed=
for part in ${*:-$default}; do
    run "$part" || failed="$failed $part"
done
echo "== report"
$cargo bench --package integration-tests --bench compare -- report
[ -z "$failed" ] || {
    echo "could not be measured:$failed" >&2
    exit 1
}
