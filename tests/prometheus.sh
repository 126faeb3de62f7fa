#!/bin/sh
# Prints the folder of prometheus and promtool: Debian's, unpacked into <target>/prometheus/. Nothing is installed.
set -eu

cd "$(dirname "$0")/.."
home=$(tests/target.sh)/prometheus
mkdir -p "$home"

fail() {
    echo "prometheus.sh: $*" >&2
    exit 1
}

# One at a time: several test programs may start side by side.
exec 9>"$home/lock"
flock 9

if [ ! -x "$home/root/usr/bin/promtool" ] || [ ! -x "$home/root/usr/bin/prometheus" ]; then
    . tests/apt.sh
    unpack prometheus bookworm "$home/root"
fi
echo "$home/root/usr/bin"
