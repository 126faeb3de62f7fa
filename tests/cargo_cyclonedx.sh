#!/bin/sh
# Installs cargo-cyclonedx into <target>/tools/ and prints the folder of the program.
set -eu

cd "$(dirname "$0")/.."
tools=$(tests/target.sh)/tools
mkdir -p "$tools"
version=0.5.9

if [ "$("$tools/bin/cargo-cyclonedx" cyclonedx --version 2>/dev/null | awk '{ print $2 }')" != "$version" ]; then
    echo "installing cargo-cyclonedx $version" >&2
    CARGO_PROFILE_DEV_DEBUG=false cargo install "cargo-cyclonedx@$version" --locked --quiet --debug --force --root "$tools" >&2
fi
echo "$tools/bin"
