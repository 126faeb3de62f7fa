#!/bin/sh
# Runs the suites against each release branch of HAProxy that Debian's suites hold today, beside the one installed here.
#
#   tests/versions.sh             fetch them, run every suite that has a HAProxy on each
#   tests/versions.sh fetch       fetch one of each branch that must be covered; print the path of each
#   tests/versions.sh fetch all   the same of each branch that they hold
#   tests/versions.sh plan        only decide, from a table on standard input: a place and its version on each line
#   tests/versions.sh tally LOG   only count, from the names of tests on standard input, which of them passed in LOG
#
# HAPROXY=path names one program more to be tested. A branch that must be covered and that no place has is told at the
# end; with REQUIRE=1 it is a failure as well. A suite that cannot be read is always one: what was not tested must not
# look like what passed. What fails on one release keeps nothing else from being tested: the end tells of each.
#
# Each release is unpacked, with the C library it was built for, into <target>/haproxy/<suite>/, and started through
# that folder's own dynamic loader. Nothing is installed, and the machine's apt state is neither read nor changed.
set -eu

cd "$(dirname "$0")/.."

# From the settled ones to the newest. Of a branch that several have, the first one's release is tested.
suites='bookworm trixie forky sid experimental'
# The branches that this project says it works with.
required='2.6 3.0 3.2'
# Suites of tests, modules of tests/tests/main.rs, that start no HAProxy.
apart='chart commands compose_files documents forward_auth gateway_applications gateway_issuers http2 interop introspection key_sets left_out operators provider_shapes security suites walls'

fail() {
    echo "versions.sh: $*" >&2
    exit 1
}

# plan: from lines "PLACE VERSION", where a PLACE is a suite, `installed` (its tests are those of `make test`) or `given`
# (tested whatever its branch), to lines "test PLACE BRANCH", "installed BRANCH" and "gone BRANCH".
plan() {
    awk -v required="$required" '
        # 1:3.4~dev2-1+deb13u1 is of branch 3.4.
        function branch_of(version,    parts) {
            sub(/^[0-9]+:/, "", version)
            split(version, parts, ".")
            sub(/[^0-9].*/, "", parts[2])
            return parts[1] "." parts[2]
        }
        NF != 2 { print "no place and version: " $0 >"/dev/stderr"; failed = 1; exit 1 }
        {
            branch = branch_of($2)
            if (branch !~ /^[0-9]+\.[0-9]+$/) { print "no version of HAProxy: " $0 >"/dev/stderr"; failed = 1; exit 1 }
        }
        $1 == "given" { print "test given " branch; given[branch] = 1; next }
        branch in covered { next }
        { covered[branch] = 1 }
        $1 == "installed" { print "installed " branch; next }
        { print "test " $1 " " branch }
        END {
            if (failed) exit 1
            count = split(required, branches, " ")
            for (i = 1; i <= count; i++)
                if (!(branches[i] in covered) && !(branches[i] in given)) print "gone " branches[i]
        }'
}

# tally LOG: for each suite of the tests on standard input how many of them passed, and the names of those that did not;
# in the last line the sum. What the log does not tell of has not passed.
tally() {
    awk -v log_file="$1" '
        FILENAME == log_file { if ($1 == "test" && $NF == "ok") passed[$2] = 1; next }
        {
            suite = $1
            sub(/::.*/, "", suite)
            if (!(suite in tests)) names[++suites] = suite
            tests[suite]++
            all++
            if ($1 in passed) { good[suite]++; all_good++ } else bad[suite] = bad[suite] " " $1
        }
        END {
            for (i = 1; i <= suites; i++) {
                suite = names[i]
                printf "%s: %d of %d%s\n", suite, good[suite], tests[suite], suite in bad ? ", not passed:" bad[suite] : ""
            }
            printf "%d of %d tests in %d suites passed\n", all_good, all, suites
            exit !(all > 0 && all_good == all)
        }' "$1" -
}

case ${1-} in
plan)
    plan
    exit
    ;;
tally)
    tally "${2:?tally needs a log}"
    exit
    ;;
esac

. tests/apt.sh
root=$(tests/target.sh)/haproxy
mkdir -p "$root"

# read_suite SUITE: points apt at it, and brings its lists up to date.
read_suite() {
    case $1 in
    # It holds what differs from unstable, and takes the rest from there.
    experimental) private_suite "$root/experimental.apt" "sid experimental" ;;
    *) private_suite "$root/$1.apt" "$1" ;;
    esac
}

# inst: what apt would install for haproxy: lines "PACKAGE VERSION".
inst() {
    private_apt --simulate install haproxy | sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1 \2/p'
}

# version_in SUITE: Debian's version of haproxy there.
version_in() {
    inst | sed -n 's/^haproxy //p' | grep . || fail "$1 has no haproxy"
}

# version_of PROGRAM
version_of() {
    "$1" -v | sed -n 's/^HAProxy version \([^ ]*\).*/\1/p' | grep . || fail "$1 is no HAProxy"
}

# fetch SUITE: unpacks what it holds today into $root/SUITE, unless that is there.
fetch() {
    home="$root/$1"
    wrapper="$home/haproxy"
    read_suite "$1"
    version=$(version_in "$1")
    if [ "$(cat "$home/version" 2>/dev/null)" = "$version" ] && "$wrapper" -v >/dev/null 2>&1; then
        return
    fi
    rm -rf "$home" "$apt"/cache/archives/*.deb
    mkdir -p "$home/root"

    # The program and its libraries; what packages merely configure (users, services, perl) is not needed to run it.
    packages=$(inst | awk '$1 == "haproxy" || $1 ~ /^lib/ { print $1 "=" $2 }')
    # shellcheck disable=SC2086 # one word for each package
    (cd "$apt/cache/archives" && private_apt download $packages) || fail "cannot download haproxy of $1"
    for archive in "$apt"/cache/archives/*.deb; do
        dpkg-deb --extract "$archive" "$home/root"
        rm "$archive"
    done

    loader=$(find "$home/root" -name 'ld-linux*.so.*' -print -quit)
    [ -n "$loader" ] || fail "haproxy of $1 came without a dynamic loader"
    libraries=$(find "$home/root" -name '*.so.*' -exec dirname {} + | sort -u | paste -sd: -)
    # A master starts itself again by the name it was called by, which must be the wrapper's.
    cat >"$wrapper" <<WRAPPER
#!/bin/sh
exec '$loader' --argv0 "\$0" --library-path '$libraries' '$home/root/usr/sbin/haproxy' "\$@"
WRAPPER
    chmod +x "$wrapper"
    version_of "$wrapper" >/dev/null
    echo "$version" >"$home/version"
}

given=${HAPROXY-}
unset HAPROXY
table=$(
    if installed=$(PATH="$PATH:/usr/sbin" command -v haproxy); then
        echo "installed $(version_of "$installed")"
    fi
    [ -z "$given" ] || echo "given $(version_of "$given")"
    for suite in $suites; do
        read_suite "$suite"
        echo "$suite $(version_in "$suite")"
    done
)
decided=$(echo "$table" | plan)
echo "$decided" | sed 's/^/versions.sh: /' >&2

# in_plan WORD: the other words of the lines that begin with it.
in_plan() {
    echo "$decided" | sed -n "s/^$1 //p"
}

if [ "${1-}" = fetch ]; then
    branches=$required
    [ "${2-}" != all ] || branches=$(in_plan test | cut -d' ' -f2)
    for branch in $branches; do
        suite=$(in_plan test | grep -v '^given ' | sed -n "s/ $branch\$//p")
        [ -n "$suite" ] || continue
        fetch "$suite"
        echo "$root/$suite/haproxy"
    done
    exit
fi

cargo build --workspace --bins
listed=$(cargo test --workspace --test integration -- --list)
tests=$(echo "$listed" | sed -n 's/: test$//p')
for suite in $apart; do
    echo "$tests" | grep -q "^$suite::" || fail "there is no suite $suite to leave out"
done
tests=$(echo "$tests" | awk -F :: -v apart="$apart" 'BEGIN { split(apart, names, " "); for (i in names) out[names[i]] } !($1 in out)')
results=
failed=
for place in $(in_plan test | cut -d' ' -f1); do
    case $place in
    given) program=$given ;;
    *)
        fetch "$place"
        program="$root/$place/haproxy"
        ;;
    esac
    echo "== $place: $("$program" -v | head -n 1)"
    log="$root/$place.log"
    rm -f "$log.failed"
    # By a file, since a pipe ends as its last command does.
    # shellcheck disable=SC2086 # one word for each name
    { HAPROXY="$program" cargo test --workspace --test integration -- --exact $tests 2>&1 || : >"$log.failed"; } | tee "$log"
    end=
    if ! told=$(echo "$tests" | tally "$log") || [ -e "$log.failed" ]; then
        end=', which is a FAILURE'
        failed="$failed $place"
    fi
    echo "$told"
    results="$results$place, HAProxy $(version_of "$program"): $(echo "$told" | tail -n 1)$end
"
done
printf '%s' "$results" | sed 's/^/versions.sh: /'

for branch in $(in_plan gone); do
    echo "=================================================================================" >&2
    echo "NOT COVERED: HAProxy $branch is not to be had from Debian any more ($suites)." >&2
    echo "Name a program of that branch in HAPROXY=path, or stop saying that it is supported." >&2
    echo "=================================================================================" >&2
    [ "${REQUIRE-}" != 1 ] || failed="$failed $branch"
done
[ -z "$failed" ] || fail "not passed:$failed"
