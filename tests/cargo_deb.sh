#!/bin/sh
# Installs cargo-deb into <target>/tools/ and prints the folder of the program.
#
# Without its default features: the packages are compressed by xz, which dpkg-dev brings. Unoptimized: it is built in half a
# minute, and what takes time in making a package is done by other programs.
set -eu

cd "$(dirname "$0")/.."
tools=$(tests/target.sh)/tools
mkdir -p "$tools"
version=3.8.0

if [ "$("$tools/bin/cargo-deb" --version 2>/dev/null)" != "cargo-deb $version" ]; then
    echo "installing cargo-deb $version" >&2
    CARGO_PROFILE_DEV_DEBUG=false cargo install "cargo-deb@$version" --locked --quiet --debug --force --no-default-features \
        --root "$tools" >&2
fi
echo "$tools/bin"
