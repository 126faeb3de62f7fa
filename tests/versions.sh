#!/bin/sh
# Runs the suites against the newer HAProxy releases that Debian carries beside the one installed here.
#
#   tests/versions.sh             fetch both, run every suite that has a HAProxy on each
#   tests/versions.sh fetch       only fetch; prints the path of each wrapper
#
# Each release is unpacked, with the C library it was built for, into <target>/haproxy/<suite>/, and started through
# that folder's own dynamic loader. Nothing is installed, and the machine's apt state is neither read nor changed.
# A release that cannot be had is an error: a version that was not tested must not look like one that passed.
set -eu

cd "$(dirname "$0")/.."
root="${CARGO_TARGET_DIR:-target}"
mkdir -p "$root/haproxy"
root=$(cd "$root/haproxy" && pwd)

# Debian suite and the release of HAProxy that it must hold.
releases='trixie:3.0 forky:3.2'

fail() {
    echo "versions.sh: $*" >&2
    exit 1
}

. tests/apt.sh

fetch() {
    suite=$1
    home="$root/$suite"
    wrapper="$home/haproxy"
    if [ -x "$wrapper" ] && grep -q -e --argv0 "$wrapper" && "$wrapper" -v >/dev/null 2>&1; then
        return
    fi
    rm -rf "$home"
    mkdir -p "$home/root"
    private_suite "$home/apt" "$suite"

    # The program and its libraries; what packages merely configure (users, services, perl) is not needed to run it.
    packages=$(private_apt --simulate install haproxy | awk '$1 == "Inst" && ($2 == "haproxy" || $2 ~ /^lib/) { print $2 }')
    [ -n "$packages" ] || fail "$suite has no haproxy"
    # shellcheck disable=SC2086 # one word for each package
    (cd "$apt/cache/archives" && private_apt download $packages) || fail "cannot download haproxy of $suite"
    for archive in "$apt"/cache/archives/*.deb; do
        dpkg-deb --extract "$archive" "$home/root"
    done
    rm -rf "$apt"

    loader=$(find "$home/root" -name 'ld-linux*.so.*' -print -quit)
    [ -n "$loader" ] || fail "haproxy of $suite came without a dynamic loader"
    libraries=$(find "$home/root" -name '*.so.*' -exec dirname {} + | sort -u | paste -sd: -)
    # A master starts itself again by the name it was called by, which must be the wrapper's.
    cat >"$wrapper" <<WRAPPER
#!/bin/sh
exec '$loader' --argv0 "\$0" --library-path '$libraries' '$home/root/usr/sbin/haproxy' "\$@"
WRAPPER
    chmod +x "$wrapper"
}

for release in $releases; do
    suite=${release%%:*}
    version=${release##*:}
    fetch "$suite"
    "$root/$suite/haproxy" -v | grep -q "^HAProxy version $version\." ||
        fail "$suite no longer holds HAProxy $version: $("$root/$suite/haproxy" -v | head -n 1)"
    if [ "${1:-}" = fetch ]; then
        echo "$root/$suite/haproxy"
    fi
done
[ "${1:-}" = fetch ] && exit 0

cargo build -p jwt-agent -p token-server
# The suite of the other proxies runs with no HAProxy.
suites=$(for suite in tests/tests/*.rs; do basename "$suite" .rs; done | grep -vx forward_auth | sed 's/^/--test /')
for release in $releases; do
    wrapper="$root/${release%%:*}/haproxy"
    echo "== $("$wrapper" -v | head -n 1)"
    # shellcheck disable=SC2086 # one word for each option and name
    HAPROXY="$wrapper" cargo test -p integration-tests --lib --bins $suites
done
