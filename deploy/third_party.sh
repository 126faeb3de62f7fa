#!/bin/sh
# Prints what others wrote of that which is in the programs: each crate that is linked into one of them, with its licence and the
# texts that came with it. `make audit` says which licences may come in.
#
# Of one lock file it prints the same bytes each time, wherever the crates are kept.
set -eu

cd "$(dirname "$0")/.."
LC_ALL=C
export LC_ALL
host=$(rustc -vV | sed -n 's/^host: //p')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "third_party.sh: $*" >&2
    exit 1
}

# Name, version and licence. Macros that run in the compiler are in no program; our own crates have a path behind their version.
cargo tree --locked --quiet --package jwt-agent --package token-server --target "$host" --edges normal,no-proc-macro \
    --prefix none --format '{p}|{l}' >"$work/tree"
sed -n 's/ (\*)$//; s/^\([^ |]*\) v\([^ |]*\)|/\1|\2|/p' "$work/tree" | sort -u >"$work/crates"
[ -s "$work/crates" ] || fail "cargo tree names no crate"
cargo metadata --locked --quiet --format-version 1 --filter-platform "$host" >"$work/metadata"
tr ',' '\n' <"$work/metadata" | sed -n 's,^"manifest_path":"\(.*\)/Cargo\.toml"$,\1,p' >"$work/folders"

cat <<'END'
Crates of others that are in jwt-agent and token-server, each with its licence and with the numbers of the texts that came with it,
which follow. Of licences with OR between them each holder may choose one. The standard library of Rust is in both programs as well, under
MIT OR Apache-2.0: https://www.rust-lang.org/policies/licenses

END

mkdir "$work/texts"
texts=0
while IFS='|' read -r name version licence; do
    folder=$(grep "/$name-$version\$" "$work/folders") || fail "cargo metadata knows no folder of $name $version"
    # Those of C code that a crate brings along, too.
    find "$folder" -type f \( -iname 'licen[cs]e*' -o -iname 'copying*' -o -iname 'copyright*' -o -iname 'notice*' \
        -o -iname 'unlicense*' \) ! -iname '*.rs' ! -iname '*.[chs]' ! -iname '*.py' ! -iname '*.sh' | sort >"$work/files"
    [ -s "$work/files" ] || fail "$name $version comes without a text of its licence: take another crate, or have its authors add one"
    numbers=
    while read -r file; do
        tr -d '\r' <"$file" >"$work/text"
        sum=$(sha256sum <"$work/text" | cut -d ' ' -f 1)
        if [ ! -e "$work/texts/$sum" ]; then
            texts=$((texts + 1))
            echo "$texts" >"$work/texts/$sum"
            { printf '\n======== text %s\n\n' "$texts" && cat "$work/text" && echo; } >>"$work/all"
        fi
        number=$(cat "$work/texts/$sum")
        case "$numbers " in
        *" $number "*) ;;
        *) numbers="$numbers $number" ;;
        esac
    done <"$work/files"
    echo "$name $version, $licence: texts$numbers"
done <"$work/crates"
cat "$work/all"
