#!/bin/sh
# Puts the clients of `make test-idps` into <target>/oauth-clients/, and prints that folder: from npm and PyPI. Node is
# PyPI's, as the identity provider needs a newer one than Debian's; python3 and pip must be there (`make setup-test`).
# What cannot be had is an error: what was not tested must not look tested.
set -eu

cd "$(dirname "$0")"
home=$(../../target.sh)/oauth-clients
mkdir -p "$home"

fail() {
    echo "interop/clients/setup.sh: $*" >&2
    exit 1
}

# One at a time: several test programs may start side by side.
exec 9>"$home/lock"
flock 9

# What is installed belongs to these versions, and Python's part to its interpreter.
wanted=$(cat package.json requirements.txt && python3 --version)
if [ "$wanted" != "$(cat "$home/installed" 2>/dev/null)" ]; then
    rm -rf "$home/node_modules" "$home/python" "$home/installed"
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
        --target "$home/python" --requirement requirements.txt >&2 || fail "cannot install the clients from PyPI"
    cp package.json "$home"
    npm install --prefix "$home" --no-package-lock --no-audit --no-fund --loglevel=error >&2 || fail "cannot install the clients from npm"
    printf '%s\n' "$wanted" >"$home/installed"
fi
# Node looks for packages from where a program stands.
cp ./*.mjs "$home"
echo "$home"
