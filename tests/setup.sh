#!/bin/sh
# Installs what is missing. Arguments: command:package, or /file:package, as Debian names them.
# Where it may not install, it says which command would, and fails.
set -eu

cd "$(dirname "$0")/.."
least=$(sed -n 's/^rust-version = "1\.\([0-9]*\)"$/\1/p' Cargo.toml)
install="install Rust 1.$least or newer with rustup (Debian 13: apt-get install rustup && rustup default stable), then try again"
if ! command -v cargo >/dev/null 2>&1; then
    echo "cargo is missing: $install" >&2
    exit 1
fi
# Debian's own cargo is older in Debian 12, and would fail on the first file that it reads.
version=$(cargo --version | sed -n 's/^cargo 1\.\([0-9]*\)\..*/\1/p')
if [ "${version:-$least}" -lt "$least" ]; then
    echo "$(cargo --version) is too old: $install" >&2
    exit 1
fi

missing=
for pair in "$@"; do
    case $pair in
    /*) [ -e "${pair%%:*}" ] ;;
    # Debian puts haproxy into /usr/sbin, which a person's PATH may lack.
    *) PATH="$PATH:/usr/sbin:/sbin" command -v "${pair%%:*}" >/dev/null 2>&1 ;;
    esac || missing="$missing ${pair#*:}"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root=sudo
    else
        echo "missing:$missing; run this, then try again: sudo apt-get update && sudo apt-get install -y$missing" >&2
        exit 1
    fi
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "missing:$missing; this is no Debian, so install them as your system does, then try again" >&2
    exit 1
fi
echo "installing:$missing"
$as_root apt-get update -qq
# shellcheck disable=SC2086 # one word for each package
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
