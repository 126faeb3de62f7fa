#!/bin/sh
# Puts the schemas of Kubernetes, and what holds manifests against them, into <target>/kubernetes/ from PyPI, and prints that
# folder. python3 and pip must be there (`make setup-test`). It asks no cluster.
#
# What cannot be had is an error: what was not tested must not look tested.
set -eu

cd "$(dirname "$0")"
home=$(../target.sh)/kubernetes
mkdir -p "$home"

fail() {
    echo "kubernetes/setup.sh: $*" >&2
    exit 1
}

# One at a time: several test programs may start side by side.
exec 9>"$home/lock"
flock 9

# What is installed there belongs to these versions, and to its interpreter.
wanted=$(cat requirements.txt && python3 --version)
if [ "$wanted" != "$(cat "$home/installed" 2>/dev/null)" ]; then
    rm -rf "$home/python"
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-compile \
        --target "$home/python" --requirement requirements.txt >&2 || fail "cannot install kubernetes-validate with pip"
    printf '%s\n' "$wanted" >"$home/installed"
fi
echo "$home"
