#!/usr/bin/env bash
# Holds the lock file to deny.toml: licences, forbidden and duplicate crates, sources; and, where the advisory database can
# be fetched, known vulnerabilities. cargo-audit reads the same database, so it is not run as well.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$(tests/cargo_tool.sh cargo-deny)
PATH="$tools:$PATH"

cargo deny --locked check --hide-inclusion-graph licenses bans sources
if cargo deny fetch db; then
    cargo deny --locked check --hide-inclusion-graph advisories
else
    echo "NOT CHECKED: known vulnerabilities; the advisory database cannot be fetched from here" >&2
fi
