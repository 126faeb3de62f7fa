"""Encrypts tokens with two independent libraries, for the tests to decrypt.

    pip install jwcrypto joserfc
    python3 make_jwe.py > jwe.json

jwcrypto makes every pair of `alg` (on every curve) and `enc`, joserfc every `alg` with one `enc` and every `enc` with
one `alg`.
"""

import itertools
import json
import sys

from joserfc import jwe as joserfc_jwe
from joserfc import jwk as joserfc_jwk
from jwcrypto import jwe as jwcrypto_jwe
from jwcrypto import jwk as jwcrypto_jwk

CLAIMS = '{"sub":"alice","n":12345678901234567890,"l":[]}'
# The example of RFC 7515 appendix A.1.
NESTED = (
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)

ENCS = ["A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512", "A128GCM", "A192GCM", "A256GCM"]
ENC_BITS = dict(zip(ENCS, [256, 384, 512, 128, 192, 256]))
WRAPS = [f"A{bits}{kind}" for kind in ("KW", "GCMKW") for bits in (128, 192, 256)]
AGREEMENTS = ["ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW"]
CURVES = ["P-256", "P-384", "P-521", "X25519"]
ALGS = [
    ("dir", None),
    *((alg, f"oct{alg[1:4]}") for alg in WRAPS),
    ("RSA-OAEP", "rsa"),
    ("RSA-OAEP-256", "rsa"),
    *itertools.product(AGREEMENTS, CURVES),
]

KEYS = {
    **{
        f"oct{bits}": jwcrypto_jwk.JWK.generate(kty="oct", size=bits, kid=f"oct{bits}")
        for bits in (128, 192, 256, 384, 512)
    },
    "rsa": jwcrypto_jwk.JWK.generate(kty="RSA", size=2048, kid="rsa"),
    **{curve: jwcrypto_jwk.JWK.generate(kty="EC", crv=curve, kid=curve) for curve in CURVES[:3]},
    "X25519": jwcrypto_jwk.JWK.generate(kty="OKP", crv="X25519", kid="X25519"),
}


def by_jwcrypto(header, plaintext, kid):
    token = jwcrypto_jwe.JWE(plaintext, json.dumps(header), algs=[header["alg"], header["enc"]])
    token.add_recipient(KEYS[kid])
    return token.serialize(compact=True)


def by_joserfc(header, plaintext, kid):
    key = joserfc_jwk.import_key(KEYS[kid].export(as_dict=True))
    algorithms = [header["alg"], header["enc"], "DEF"]
    return joserfc_jwe.encrypt_compact(header, plaintext, key, algorithms=algorithms)


def token(make, alg, kid, enc, **parameters):
    kid = kid or f"oct{ENC_BITS[enc]}"
    nested = not kid.startswith("oct")
    header = {"alg": alg, "enc": enc, "kid": kid, **({"cty": "JWT"} if nested else {}), **parameters}
    return {
        "by": make.__name__.removeprefix("by_"),
        "kid": kid,
        "alg": alg,
        "enc": enc,
        "token": make(header, NESTED if nested else CLAIMS, kid),
    }


def tokens():
    for (alg, kid), enc in itertools.product(ALGS, ENCS):
        yield token(by_jwcrypto, alg, kid, enc)
    for alg, kid in ALGS:
        yield token(by_joserfc, alg, kid, "A256GCM")
    for enc in ENCS:
        yield token(by_joserfc, "dir", None, enc)
    for make in (by_jwcrypto, by_joserfc):
        yield token(make, "dir", None, "A256CBC-HS512", zip="DEF")
        yield token(make, "ECDH-ES", "P-256", "A128GCM", apu="QWxpY2U", apv="Qm9i")
        yield token(make, "ECDH-ES+A192KW", "X25519", "A192GCM", apu="QWxpY2U", apv="Qm9i", zip="DEF")


made = list(tokens())
keys = [json.dumps(key.export(as_dict=True)) for key in KEYS.values()]
rows = ["  " + json.dumps(row) for row in made]
sys.stdout.write('{"claims": %s,\n"nested": %s,\n' % (json.dumps(CLAIMS), json.dumps(NESTED)))
sys.stdout.write('"keys": [\n  %s\n],\n"tokens": [\n%s\n]}\n' % (",\n  ".join(keys), ",\n".join(rows)))
