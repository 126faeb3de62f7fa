#!/bin/sh
# Runs the published test vectors in the folder that is the first argument, and holds docs/CONFORMANCE.md to them.
#
#   tests/conformance.sh FOLDER           the test
#   tests/conformance.sh FOLDER renew     writes docs/CONFORMANCE.md anew
set -eu

vectors=${1-}
missing=

fail() {
    cat >&2 <<TEXT
conformance.sh: $*
The vectors are no part of this repository. Get two public projects, and name the folder that holds both:
    wycheproof   of C2SP: testvectors_v1/json_web_signature_test.json and json_web_key_test.json
    cookbook     of ietf-jose, the examples of RFC 7520: its folders jws and jwe
    make test-conformance VECTORS=folder
Their files may also stand in the folder itself, and the examples in a folder rfc7520.
TEXT
    exit 2
}

[ -n "$vectors" ] || fail "VECTORS is not set"
[ -d "$vectors" ] || fail "no folder $vectors"
vectors=$(cd "$vectors" && pwd)
cd "$(dirname "$0")/.."

# locate NAME PLACE...: sets $found to the first place that is there, or notes NAME as missing.
locate() {
    name=$1
    shift
    for found; do
        found="$vectors/$found"
        [ ! -e "$found" ] || return 0
    done
    missing="$missing $name"
}

# locate_wycheproof ABOUT: a file of Wycheproof's, by its own name or by one that tells where it is from.
locate_wycheproof() {
    file="json_web_$1_test.json"
    locate "$file" "$file" "wycheproof_json_web_$1.json" "testvectors_v1/$file" "wycheproof/testvectors_v1/$file"
}

locate_wycheproof signature
VECTORS_SIGNATURES=$found
locate_wycheproof key
VECTORS_KEYS=$found
for part in jwe jws; do
    locate "$part" "$part" "rfc7520/$part" "cookbook/$part"
done
VECTORS_RFC7520=${found%/*}
[ -z "$missing" ] || fail "$vectors lacks$missing"
export VECTORS_SIGNATURES VECTORS_KEYS VECTORS_RFC7520

if [ "${2-}" = renew ]; then
    export WRITE_CONFORMANCE=1
fi
exec "${CARGO:-cargo}" test --workspace --test conformance --quiet
