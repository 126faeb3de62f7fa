"""Makes the seeds of the fuzz targets `proof` and `proof_uri`: header and payload of proofs, which the target signs itself,
and URIs in many spellings.

    python3 fuzz/make_proof_seeds.py
"""

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parent / "corpus"
URI = "https://resource.example.org/protectedresource"
JWK = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
HEADER = {"typ": "dpop+jwt", "alg": "EdDSA", "jwk": JWK}
CLAIMS = {
    "jti": "e1j3V_bKic8-LAEB",
    "htm": "GET",
    "htu": URI,
    "iat": 1562262618,
    "ath": "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo",
}


def proof(header=None, claims=None, **spelling):
    header, claims = HEADER | (header or {}), CLAIMS | (claims or {})
    return "\n".join(json.dumps(part, **spelling) for part in (header, claims))


def proofs():
    return {
        "good": proof(separators=(",", ":")),
        "spaced": proof(),
        "ed25519": proof({"alg": "Ed25519"}),
        "named": proof({"kid": "a", "jku": "http://127.0.0.1/", "x5u": 7, "x5c": ["AAAA"]}),
        "other_spelling": proof(claims={"htu": "HTTPS://Resource.example.org:443/a/../%70rotectedresource?q#f"}),
        "fraction": proof(claims={"iat": 1562262618.25}),
        "exponent": proof().replace("1562262618", "1.562262618e9"),
        "old": proof(claims={"iat": 1562262000}),
        "ahead": proof(claims={"iat": 1562262700}),
        "nonce": proof(claims={"nonce": "AAAA"}),
        "long_jti": proof(claims={"jti": "j" * 257}),
        "private": proof({"jwk": JWK | {"d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}}),
        "secret": proof({"alg": "HS256", "jwk": {"kty": "oct", "k": "AAAA"}}),
        "none": proof({"alg": "none"}),
        "other_algorithm": proof({"alg": "ES256"}),
        "escaped": proof().replace('"jti"', '"\\u006ati"'),
        "twice": proof().replace('{"jti"', '{"jti": "x", "jti"'),
        "crit": proof({"crit": ["exp"]}),
        "no_claims": json.dumps(HEADER) + "\n",
        "whole": "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVkRFNBIn0.e30.AAAA",
        "dots": "..",
    }


def uris():
    return {
        "plain": URI,
        "no_path": "https://a.example",
        "port": "https://a.example:443/",
        "other_port": "http://a.example:0443/x",
        "no_port": "https://a.example:/x",
        "case": "HTTPS://A.Example/X",
        "ipv6": "https://[2001:DB8:0::1]:8443/",
        "ipv4": "http://192.0.2.1/",
        "escapes": "https://a.example/%7Ealice/%2f%C3%bc",
        "dots": "https://a.example/a/./b/../%2e%2E/c/..",
        "empty_segments": "https://a.example//a//../b",
        "query": "https://a.example/a?b=/../c#d",
        "fragment": "https://a.example#d?e",
        "user": "https://u:p@a.example/",
        "international": "https://b\u00fccher.example/",
        "a_label": "https://xn--bcher-kva.example/",
        "broken_escape": "https://a.example/%4",
        "space": "https://a.example/a b",
        "relative": "/a",
    }


for target, seeds in {"proof": proofs(), "proof_uri": uris()}.items():
    (ROOT / target).mkdir(parents=True, exist_ok=True)
    for name, text in seeds.items():
        (ROOT / target / name).write_text(text)
