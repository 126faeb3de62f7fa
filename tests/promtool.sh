#!/bin/sh
# Prints the path of promtool: the one of this machine, or Debian's, unpacked into <target>/promtool/. Nothing is installed.
set -eu

cd "$(dirname "$0")/.."
home=$(tests/target.sh)/promtool

fail() {
    echo "promtool.sh: $*" >&2
    exit 1
}

if command -v promtool; then
    exit 0
fi
if [ ! -x "$home/promtool" ]; then
    mkdir -p "$home"
    . tests/apt.sh
    unpack prometheus bookworm "$home/root"
    mv "$home/root/usr/bin/promtool" "$home/promtool"
fi
echo "$home/promtool"
