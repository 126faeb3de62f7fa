#!/bin/sh
# Makes what is released twice, of two clones in two folders, under other settings of the user, and compares every byte.
#
#   tests/dist.sh           what is packed, around stand-ins for both programs; the programs' own forms are those of `make`
#   tests/dist.sh whole     with both programs built twice, and bills of materials: half an hour
set -eu

cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "dist.sh: $*" >&2
    exit 1
}

if [ "${1-}" != whole ]; then
    programs="$work/programs"
    mkdir "$programs"
    cargo build --locked --workspace --bins --message-format=json-render-diagnostics |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' >"$work/built"
    while read -r program; do
        ln -s "$program" "$programs/"
    done <"$work/built"
    deploy/debian/forms.sh "$programs"
    for program in jwt-agent token-server; do
        rm "$programs/$program"
        cp /bin/true "$programs/$program"
    done
    find "$programs" -type l -delete
    export PROGRAMS="$programs"
fi

# What cargo has fetched, by another path.
mkdir "$work/another-home"
for entry in "${CARGO_HOME:-$HOME/.cargo}"/*; do
    ln -s "$entry" "$work/another-home/"
done
git clone --quiet --no-hardlinks . "$work/one"
git clone --quiet --no-hardlinks . "$work/a longer path/two"
mkdir -p "$work/another/folder"
# Tools are installed once, beside what this clone builds.
tools=$(tests/target.sh)/tools
mkdir -p "$tools"
for clone in "$work/one" "$work/a longer path/two"; do
    mkdir -p "$clone/target"
    ln -s "$tools" "$clone/target/tools"
done
(cd "$work/one" && umask 077 && TZ=Pacific/Auckland LC_ALL=C deploy/dist.sh "$work/made-one" >/dev/null)
(cd "$work/a longer path/two" && CARGO_HOME="$work/another-home" TMPDIR="$work/another/folder" \
    TZ=America/Lima LC_ALL=C.UTF-8 deploy/dist.sh "$work/made-two" >/dev/null)

[ "$(find "$work/made-one" -type f | wc -l)" -ge 5 ] || fail "little was made: $(ls "$work/made-one")"
diff -r "$work/made-one" "$work/made-two" || fail "made twice, and not the same"
(cd "$work/made-one" && sha256sum --check --quiet --strict SHA256SUMS) || fail "SHA256SUMS is wrong"
for archive in "$work"/made-one/*.tar.*; do
    tar -tf "$archive" >"$work/files"
    for file in bin/jwt-agent bin/token-server share/man/man8/jwt-agent.8.gz share/bash-completion/completions/token-server \
        share/zsh/site-functions/_jwt-agent LICENSE-MIT LICENSE-APACHE THIRD-PARTY-LICENSES README.md docs/OPERATING.md haproxy/haproxy.cfg \
        haproxy/spoe-jwt.conf haproxy/recipes/cookie.cfg dashboards/alerts.yml deploy/chart/Chart.yaml deploy/chart/files/haproxy.cfg; do
        grep -q "^haproxy-jwt-[^/]*/$file\$" "$work/files" || fail "$archive comes without $file"
    done
done
mkdir "$work/unpacked"
tar -C "$work/unpacked" -xf "$work"/made-one/*.tar.gz
# Each crate of others that is linked is named, and each text that is cited is there.
licences=$(echo "$work"/unpacked/*/THIRD-PARTY-LICENSES)
cargo tree --locked --quiet --package jwt-agent --package token-server --edges normal,no-proc-macro --prefix none |
    awk 'NF == 2 { sub("^v", "", $2); print }' | sort -u >"$work/linked"
[ "$(wc -l <"$work/linked")" -gt 100 ] || fail "few crates are linked: $(cat "$work/linked")"
while read -r crate; do
    grep -q "^$crate, .*: texts [0-9]" "$licences" || fail "THIRD-PARTY-LICENSES says nothing of $crate"
done <"$work/linked"
sed -n 's/^[^ ]* [0-9][^,]*, .*: texts //p' "$licences" | tr ' ' '\n' | sort -un >"$work/cited"
sed -n 's/^======== text //p' "$licences" | sort -n | cmp -s - "$work/cited" || fail "THIRD-PARTY-LICENSES cites other texts than it has"
# No path of this machine is in what is made.
for path in "$work" "${CARGO_HOME:-$HOME/.cargo}" "$(pwd)"; do
    found=$(grep -rlF -- "$path" "$work/unpacked" "$work"/made-one/*.json 2>/dev/null || true)
    [ -z "$found" ] || fail "$path is in $found"
done
cat "$work/made-one/SHA256SUMS"
ls -l "$work/made-one" | awk 'NR > 1 { print $5, $9 }'
echo "made twice, the same"
