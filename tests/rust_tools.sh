#!/bin/sh
# Has rustup add what the checks need of Rust's own tools: a minimal installation comes without them.
set -eu

if cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1; then
    exit 0
fi
if ! command -v rustup >/dev/null 2>&1; then
    echo "rustfmt or clippy is missing, and there is no rustup to add them: install them as cargo was installed" >&2
    exit 1
fi
rustup component add rustfmt clippy
