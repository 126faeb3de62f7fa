#!/bin/sh
# Puts what the applications need from npm and PyPI into <target>/applications/, and prints that folder. PHP and uWSGI are
# installed as Debian has them; node, npm, python3 and pip must be there (`make setup-test`), nginx comes from tests/forward_auth.sh.
#
# What cannot be had is an error: what was not tested must not look tested.
set -eu

cd "$(dirname "$0")"
home=$(../target.sh)/applications
mkdir -p "$home"

fail() {
    echo "applications/setup.sh: $*" >&2
    exit 1
}

# One at a time: several test programs may start side by side.
exec 9>"$home/lock"
flock 9

../setup.sh php:php-cli php-cgi:php-cgi uwsgi-core:uwsgi-core \
    /usr/lib/uwsgi/plugins/python3_plugin.so:uwsgi-plugin-python3 >&2
cp package.json ./*.mjs "$home"

# What is installed there belongs to these versions, and Python's part to its interpreter.
wanted=$(cat package.json requirements.txt && node --version && python3 --version)
if [ "$wanted" != "$(cat "$home/installed" 2>/dev/null)" ]; then
    rm -rf "$home/node_modules" "$home/python"
    npm install --prefix "$home" --no-package-lock --no-audit --no-fund --loglevel=error >&2 || fail "cannot install Express with npm"
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
        --target "$home/python" --requirement requirements.txt >&2 || fail "cannot install uvicorn with pip"
    printf '%s\n' "$wanted" >"$home/installed"
fi
echo "$home"
