#!/bin/sh
# Prints the folder that cargo builds into, which a variable or cargo's configuration may have moved.
set -eu

cd "$(dirname "$0")/.."
folder=$("${CARGO:-cargo}" metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
[ -n "$folder" ] || {
    echo "target.sh: cargo metadata names no target folder" >&2
    exit 1
}
echo "$folder"
