#!/bin/sh
# Unpacks the kubectl of Debian trixie into <target>/kubectl/ and prints the path of the program: it makes objects of the
# manifests, as an operator's does. It asks no cluster.
#
# Nothing is installed, and the machine's apt state is neither read nor changed. A kubectl that cannot be had is an error:
# manifests that were not built must not look like good ones.
set -eu

cd "$(dirname "$0")/.."
home=$(tests/target.sh)/kubectl
mkdir -p "$home"

fail() {
    echo "kubectl.sh: $*" >&2
    exit 1
}

is_there() {
    [ -x "$home/kubectl" ] && "$home/kubectl" version --client 2>/dev/null | grep -q 'Kustomize Version: v5'
}

if is_there; then
    echo "$home/kubectl"
    exit 0
fi
. tests/apt.sh
unpack kubectl trixie "$home/root"
mv "$home/root/usr/bin/kubectl" "$home/kubectl"
is_there || fail "the kubectl of trixie does not run here, or knows no components: $("$home/kubectl" version --client 2>&1 | head -n 2)"
echo "$home/kubectl"
