#!/bin/sh
# Makes what is released of the commit that is checked out, into FOLDER, which it empties first: archives of both programs, Debian
# packages, bills of materials (CycloneDX), and the sums of all of them.
#
# Made again of the same commit, with the same compiler and tools on the same kind of machine, it has the same bytes, wherever the
# folders are: times are the commit's, names are sorted, owners are 0, and no path of this machine is in a program.
#
#   deploy/dist.sh FOLDER                   all of it
#   PROGRAMS=folder deploy/dist.sh FOLDER   around programs that are built, with what deploy/debian/forms.sh made of them; without
#                                           bills of materials. For tests of what is packed.
set -eu

folder=$(mkdir -p "${1:?the folder to write to}" && cd "$1" && pwd)
cd "$(dirname "$0")/.."

fail() {
    echo "dist.sh: $*" >&2
    exit 1
}

commit=$(git rev-parse --short=12 HEAD) || fail "this is no clone: what is made has the times of a commit"
[ -z "$(git status --porcelain)" ] || echo "dist.sh: made of commit $commit, without what is changed here" >&2
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
time=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
LC_ALL=C.UTF-8
TZ=UTC
export SOURCE_DATE_EPOCH LC_ALL TZ
umask 022

# Tools are not part of what is made: they are built as usual.
tools=$(tests/cargo_tool.sh cargo-deb)
[ -n "${PROGRAMS-}" ] || tests/cargo_tool.sh cargo-cyclonedx >/dev/null

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
source="$work/source"
mkdir "$source"
# No setting of the user's git changes a byte of it.
git -c core.autocrlf=false -c tar.umask=0022 archive --format=tar HEAD | tar -x -C "$source"
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$source/Cargo.toml" | head -n 1)
host=$(rustc -vV | sed -n 's/^host: //p')
name="haproxy-jwt-$version-$host"

# Paths of this machine become names that are the same everywhere, in what Rust and C compilers write.
home=${CARGO_HOME:-$HOME/.cargo}
case "$work$home" in
*[[:space:]]*) fail "a C compiler's flags are split at spaces: set TMPDIR and CARGO_HOME to folders without one" ;;
esac
# The compiler's own folder is told without links.
registry=$(cd "$home/registry" && pwd -P)
CARGO_ENCODED_RUSTFLAGS=
CFLAGS=
for pair in "$work=/build" "$home=/cargo" "$registry=/cargo/registry"; do
    CARGO_ENCODED_RUSTFLAGS="${CARGO_ENCODED_RUSTFLAGS:+$CARGO_ENCODED_RUSTFLAGS$(printf '\037')}--remap-path-prefix=$pair"
    CFLAGS="$CFLAGS -ffile-prefix-map=$pair"
done
CARGO_TARGET_DIR="$work/target"
export CARGO_ENCODED_RUSTFLAGS CFLAGS CARGO_TARGET_DIR
unset RUSTFLAGS CARGO_BUILD_RUSTFLAGS

release="$work/target/release"
if [ -n "${PROGRAMS-}" ]; then
    mkdir -p "$work/target"
    cp -r "$PROGRAMS" "$release"
    "$source/deploy/third_party.sh" >"$release/forms/THIRD-PARTY-LICENSES"
else
    (cd "$source" && cargo build --locked --release --package jwt-agent --package token-server)
    "$source/deploy/debian/forms.sh" "$release"
fi

rm -rf "${folder:?}"/*
packed="$work/packed/$name"
share="$packed/share"
mkdir -p "$packed/bin" "$share/man/man8" "$share/bash-completion/completions" "$share/zsh/site-functions" \
    "$share/fish/vendor_completions.d"
for program in jwt-agent token-server; do
    install -m 755 "$release/$program" "$packed/bin/"
    install -m 644 "$release/forms/$program.8.gz" "$share/man/man8/"
    install -m 644 "$release/forms/$program.bash" "$share/bash-completion/completions/$program"
    install -m 644 "$release/forms/_$program" "$share/zsh/site-functions/"
    install -m 644 "$release/forms/$program.fish" "$share/fish/vendor_completions.d/"
done
install -m 644 "$release/forms/THIRD-PARTY-LICENSES" "$packed/"
(cd "$source" && cp -r README.md SECURITY.md CHANGELOG.md LICENSE-* docs haproxy examples dashboards deploy "$packed/")
# In one order, of one owner, at one time; a link stays a link.
tar -C "$work/packed" --create --sort=name --format=gnu --owner=0 --group=0 --numeric-owner --mode=u+rw,go+r-w \
    --mtime="@$SOURCE_DATE_EPOCH" --file="$work/$name.tar" "$name"
gzip -9 --no-name --stdout "$work/$name.tar" >"$folder/$name.tar.gz"
xz -9 --threads=1 --stdout "$work/$name.tar" >"$folder/$name.tar.xz"

for program in jwt-agent token-server; do
    (cd "$source" && PATH="$tools:$PATH" cargo deb --locked --no-build --quiet --package "$program" --output "$folder/") >/dev/null
done

if [ -z "${PROGRAMS-}" ]; then
    for program in jwt-agent token-server; do
        manifest=agent
        [ "$program" = jwt-agent ] || manifest=token-server
        (cd "$source" && PATH="$tools:$PATH" cargo cyclonedx --quiet --manifest-path "$manifest/Cargo.toml" \
            --format json --spec-version 1.5 --target "$host" --no-build-deps --override-filename "$program.cdx")
        # Its serial number is another each time, and its time is now.
        sed -e '/^  "serialNumber":/d' -e "s/^    \"timestamp\": \"[^\"]*\"/    \"timestamp\": \"$time\"/" -e "s,$work,/build,g" \
            "$source/$manifest/$program.cdx.json" >"$folder/$program-$version.cdx.json"
    done
fi

(cd "$folder" && sha256sum -- * >"$work/SHA256SUMS" && mv "$work/SHA256SUMS" .)
echo "commit $commit, in $folder:"
cat "$folder/SHA256SUMS"
