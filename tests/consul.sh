#!/bin/sh
# Unpacks the Consul 1.8.7 of Debian bullseye into <target>/consul/ and prints the path of the program.
#
# Nothing is installed, and the machine's apt state is neither read nor changed. A Consul that cannot be had is an error:
# changes that were not tested must not look like changes that were heard.
set -eu

cd "$(dirname "$0")/.."
home=$(tests/target.sh)/consul
mkdir -p "$home"
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
. tests/apt.sh
# Release files of an old suite are no longer renewed; its packages are still verified by their signatures.
unpack consul bullseye "$home/root" -o Acquire::Check-Valid-Until=false
mv "$home/root/usr/bin/consul" "$home/consul"
is_there || fail "bullseye no longer holds Consul $version: $("$home/consul" version | head -n 1)"
echo "$home/consul"
