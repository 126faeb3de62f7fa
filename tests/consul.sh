#!/bin/sh
# Unpacks the Consul 1.8.7 of Debian bullseye into <target>/consul/ and prints the path of the program.
#
# Nothing is installed, and the machine's apt state is neither read nor changed. A Consul that cannot be had is an error:
# changes that were not tested must not look like changes that were heard.
set -eu

cd "$(dirname "$0")/.."
home="${CARGO_TARGET_DIR:-target}/consul"
mkdir -p "$home"
home=$(cd "$home" && pwd)
version=1.8.7

fail() {
    echo "consul.sh: $*" >&2
    exit 1
}

is_there() {
    [ -x "$home/consul" ] && "$home/consul" version 2>/dev/null | grep -q "v$version"
}

if is_there; then
    echo "$home/consul"
    exit 0
fi
for tool in apt-get dpkg-deb; do
    command -v "$tool" >/dev/null || fail "$tool is missing: this needs a Debian machine"
done

# The mirror that this machine already trusts: the first one that carries Debian itself, not its security archive.
mirror=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL)' 'Created-By: Packages' |
    awk '$2 == "Debian" && $3 == "Debian" { print $1; exit }')
[ -n "$mirror" ] || fail "apt knows no Debian mirror: run apt-get update first"

apt=$(mktemp -d "$home/apt.XXXXXX")
trap 'rm -rf "$apt"' EXIT
mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
: >"$apt/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bullseye main" >"$apt/sources.list"

# apt-get with a state of its own, so that neither root nor the machine's package lists are needed.
private_apt() {
    apt-get -qq \
        -o Dir::State="$apt/state" -o Dir::State::status="$apt/status" -o Dir::Cache="$apt/cache" \
        -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
        -o APT::Sandbox::User="$(id -un)" "$@"
}
# Release files of an old suite are no longer renewed; its packages are still verified by their signatures.
private_apt -o Acquire::Check-Valid-Until=false update || fail "cannot read bullseye from this machine's Debian mirror"
(cd "$apt" && private_apt download consul) || fail "cannot download consul of bullseye"
dpkg-deb --extract "$apt"/consul_*.deb "$apt/root"
mv "$apt/root/usr/bin/consul" "$home/consul"
is_there || fail "bullseye no longer holds Consul $version: $("$home/consul" version | head -n 1)"
echo "$home/consul"
