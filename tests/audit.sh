#!/usr/bin/env bash
# Holds the lock file to deny.toml: licences, forbidden and duplicate crates, sources; and, where the advisory database can
# be fetched, known vulnerabilities. cargo-audit reads the same database, so it is not run as well.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v cargo-deny >/dev/null 2>&1; then
    echo "installing cargo-deny"
    cargo install cargo-deny --locked --quiet
fi

cargo deny --locked check --hide-inclusion-graph licenses bans sources
if cargo deny fetch db; then
    cargo deny --locked check --hide-inclusion-graph advisories
else
    echo "NOT CHECKED: known vulnerabilities; the advisory database cannot be fetched from here" >&2
fi
