#!/bin/sh
# Installs one of cargo's tools into <target>/tools/, in the version that is written here, and prints the folder of its program:
#
#   PATH="$(tests/cargo_tool.sh cargo-deb):$PATH" cargo deb
#
# Unoptimized: a tool is built in half a minute, and what takes time is done by other programs.
set -eu

cd "$(dirname "$0")/.."
tool=${1:?the tool to install, such as cargo-deb}
options=
case $tool in
cargo-cyclonedx) version=0.5.9 ;;
# Packages are compressed by xz, which dpkg-dev brings.
cargo-deb) version=3.8.0 options=--no-default-features ;;
cargo-deny) version=0.20.2 ;;
cargo-fuzz) version=0.13.2 ;;
cargo-mutants) version=27.1.0 ;;
*)
    echo "cargo_tool.sh: no version of $tool is written here" >&2
    exit 64
    ;;
esac

tools=$(tests/target.sh)/tools
mkdir -p "$tools"
if ! grep -qsF "\"$tool $version (" "$tools/.crates.toml"; then
    echo "installing $tool $version" >&2
    # shellcheck disable=SC2086 # one option, or none
    CARGO_PROFILE_DEV_DEBUG=false cargo install "$tool@$version" --locked --quiet --debug --force --root "$tools" $options >&2
fi
echo "$tools/bin"
