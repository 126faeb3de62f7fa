"""Tokens by joserfc (PyPI): good ones of every algorithm, and wrong ones whose fault is named as our verifier names it.

It has no ML-DSA: the signatures of dilithium-py (PyPI) are put into tokens by hand.
"""

import base64
import json
import time
from importlib.metadata import version

from dilithium_py import ml_dsa
from joserfc import jwe, jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

ALGORITHMS = "HS256 HS384 HS512 RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA".split()
ALGORITHMS += ["ML-DSA-44", "ML-DSA-65", "ML-DSA-87"]
ISSUER = "https://issuer.example"
AUDIENCE = "api"
NOW = int(time.time())


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class MlDsaKey:
    """A key pair of ML-DSA, as the others are used here."""

    def __init__(self, algorithm):
        self.algorithm = algorithm
        self.pure = getattr(ml_dsa, algorithm.replace("-", "_"))
        self.hashed = getattr(ml_dsa, "HASH_" + algorithm.replace("-", "_") + "_WITH_SHA512")
        self.public, self.private = self.pure.keygen()

    def as_dict(self, private):
        return {"kty": "AKP", "alg": self.algorithm, "pub": b64(self.public)}

    def token(self, header, payload, signer=None, **options):
        message = f"{b64(json.dumps(header).encode())}.{b64(payload.encode())}"
        signature = (signer or self.pure).sign(self.private, message.encode(), **options)
        return f"{message}.{b64(signature)}"


def generate(algorithm):
    if algorithm.startswith("ML-DSA"):
        return MlDsaKey(algorithm)
    if algorithm == "EdDSA":
        return OKPKey.generate_key("Ed25519")
    family, bits = algorithm[:2], int(algorithm[2:])
    if family == "HS":
        return OctKey.generate_key(bits)
    if family == "ES":
        return ECKey.generate_key({256: "P-256", 384: "P-384", 512: "P-521"}[bits])
    # Other sizes than the other implementation's, where they do not cost too long.
    return RSAKey.generate_key({256: 3072, 384: 2048, 512: 2048}[bits])


KEYS = {algorithm: generate(algorithm) for algorithm in ALGORITHMS}
STRANGERS_RSA = RSAKey.generate_key(2048)


def another_key(algorithm):
    return STRANGERS_RSA if algorithm[:2] in ("RS", "PS") else generate(algorithm)


def claims(**changes):
    made = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": NOW, "nbf": NOW, "exp": NOW + 600} | changes
    return {name: value for name, value in made.items() if value is not None}


def sign(algorithm, payload=None, key=None, **header):
    payload = payload if isinstance(payload, str) else json.dumps(payload or claims())
    header = {"alg": algorithm, "kid": algorithm, "typ": "JWT"} | header
    header = {name: value for name, value in header.items() if value is not None}
    key = key or KEYS[algorithm]
    if isinstance(key, MlDsaKey):
        return key.token(header, payload)
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    return jws.serialize_compact(header, payload, key, registry=registry)


def with_header(token, **members):
    """The token with another header over the old signature."""
    _, payload, signature = token.split(".")
    return f"{b64(json.dumps(members).encode())}.{payload}.{signature}"


def turned(signature, position):
    data = bytearray(unb64(signature))
    data[position] ^= 1
    return b64(bytes(data))


TOKENS = []


def add(what, token, detail):
    TOKENS.append({"what": what, "token": token, "detail": detail})


for algorithm in ALGORITHMS:
    good = sign(algorithm)
    header, payload, signature = good.split(".")
    add(algorithm, good, "ok")
    add(f"{algorithm} without kid", sign(algorithm, kid=None), "ok")
    add(f"{algorithm}, other header parameters", sign(algorithm, cty="x", **{"urn:x": {"y": [1, None]}}), "ok")
    add(f"{algorithm}, spaced JSON", sign(algorithm, json.dumps(claims(), indent=2)), "ok")
    add(f"{algorithm}, dates with a fraction", sign(algorithm, claims(exp=NOW + 600.5, nbf=NOW - 0.5)), "ok")
    for position in (0, -1):
        add(f"{algorithm}, byte {position} of the signature", f"{header}.{payload}.{turned(signature, position)}", "signature")
    add(f"{algorithm}, a signature of zeros", f"{header}.{payload}.{b64(bytes(len(unb64(signature))))}", "signature")
    add(f"{algorithm}, a longer signature", f"{header}.{payload}.{b64(unb64(signature) + bytes(3))}", "signature")
    add(f"{algorithm}, no signature", f"{header}.{payload}.", "malformed")
    add(f"{algorithm}, another key", sign(algorithm, key=another_key(algorithm)), "signature")
    add(f"{algorithm}, padded", good + "=", "malformed")
    add(f"{algorithm}, a header that says none", with_header(good, alg="none", kid=algorithm), "algorithm")
    add(f"{algorithm}, expired", sign(algorithm, claims(exp=NOW - 1)), "expired")

for algorithm in ("ML-DSA-44", "ML-DSA-65", "ML-DSA-87"):
    key, header, body = KEYS[algorithm], {"alg": algorithm, "kid": algorithm}, json.dumps(claims())
    add(f"{algorithm}, a context", key.token(header, body, ctx=b"JWT"), "signature")
    add(f"{algorithm}, hashed first", key.token(header, body, signer=key.hashed), "signature")
    add(f"{algorithm} that says EdDSA", key.token(header | {"alg": "EdDSA"}, body), "unknown_key")
    for other in ("ML-DSA-44", "ML-DSA-65", "ML-DSA-87"):
        if other != algorithm:
            add(f"{algorithm} that says {other}", key.token(header | {"alg": other}, body), "unknown_key")
            add(f"{algorithm} under a key for {other}", key.token(header | {"kid": other}, body), "unknown_key")

# It refuses to sign under the PEM and the DER; what it takes for a secret is the modulus.
modulus = OctKey.import_key(KEYS["RS256"].as_dict(private=False)["n"])
add("HS256 under the RSA key's modulus", sign("HS256", key=modulus, kid="RS256"), "unknown_key")
add("RS512 under a key for RS256", sign("RS512", kid="RS256"), "unknown_key")
add("ES256K", with_header(sign("ES256"), alg="ES256K", kid="ES256"), "algorithm")
add("b64", sign("HS256", b64=True, crit=["b64"]), "crit")
add("alg twice", ".".join([b64(b'{"alg":"none","alg":"HS256"}'), *sign("HS256").split(".")[1:]]), "malformed")
add("not yet valid", sign("EdDSA", claims(nbf=NOW + 600)), "not_yet_valid")
add("without exp", sign("EdDSA", claims(exp=None)), "exp_missing")
add("exp beyond any clock", sign("EdDSA", json.dumps(claims(exp=0)).replace('"exp": 0', '"exp": 1e400')), "claim_type")
add("exp as text", sign("EdDSA", claims(exp=str(NOW + 600))), "claim_type")
add("exp as truth", sign("EdDSA", claims(exp=True)), "claim_type")
add("nbf as list", sign("EdDSA", claims(nbf=[NOW])), "claim_type")
add("another issuer", sign("EdDSA", claims(iss=ISSUER + "/")), "issuer")
add("issuers in a list", sign("EdDSA", claims(iss=[ISSUER])), "claim_type")
add("another audience", sign("EdDSA", claims(aud=["a", "b"])), "audience")
add("audience in an object", sign("EdDSA", claims(aud={AUDIENCE: True})), "claim_type")
add("no claims", sign("EdDSA", "not claims"), "malformed")


WRAPS = ["A128KW", "A192KW", "A256KW", "A128GCMKW", "A192GCMKW", "A256GCMKW"]
ENC_BITS = {"A128CBC-HS256": 256, "A192CBC-HS384": 384, "A256CBC-HS512": 512, "A128GCM": 128, "A192GCM": 192, "A256GCM": 256}
AGREEMENTS = ["ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW"]
CURVES = ["P-256", "P-384", "P-521", "X25519"]
DECRYPTION_KEYS = []
ENCRYPTED = []


def encrypt(plaintext, key, **header):
    algorithms = [header["alg"], header["enc"], "DEF"]
    registry = jwe.JWERegistry(algorithms=algorithms, strict_check_header=False)
    return jwe.encrypt_compact(header, plaintext, key, registry=registry)


def keep(key, kid, alg):
    DECRYPTION_KEYS.append(key.as_dict(private=True) | {"kid": kid, "alg": alg})


def add_encrypted(what, token, detail):
    ENCRYPTED.append({"what": what, "token": token, "detail": detail})


def with_part(token, index, change):
    parts = token.split(".")
    parts[index] = change(parts[index])
    return ".".join(parts)


# Who holds a secret may put claims into a token; who has a public key may put a signed token into one.
BODY = json.dumps(claims())
NESTED = sign("EdDSA")
for enc, bits in ENC_BITS.items():
    key = OctKey.generate_key(bits)
    keep(key, f"dir {enc}", "dir")
    header = {"alg": "dir", "enc": enc, "kid": f"dir {enc}"}
    good = encrypt(BODY, key, **header)
    add_encrypted(f"dir, {enc}", good, "ok")
    add_encrypted(f"dir, {enc}, deflated", encrypt(BODY, key, **header, zip="DEF"), "ok")
    add_encrypted(f"dir, {enc}, a bomb", encrypt("x" * 1_000_000, key, **header, zip="DEF"), "decryption")
    add_encrypted(f"dir, {enc}, nested", encrypt(NESTED, key, **header, cty="jwt"), "ok")
    add_encrypted(f"dir, {enc}, encrypted twice", encrypt(good, key, **header, cty="JWT"), "unsupported")
    add_encrypted(f"dir, {enc}, no claims", encrypt("not claims", key, **header), "malformed")
    add_encrypted(f"dir, {enc}, expired", encrypt(json.dumps(claims(exp=NOW - 1)), key, **header), "expired")
    for part in (2, 3, 4):
        changed = with_part(good, part, lambda text: turned(text, -1))
        add_encrypted(f"dir, {enc}, part {part} changed", changed, "decryption")
for alg in WRAPS:
    key = OctKey.generate_key(int(alg[1:4]))
    keep(key, alg, alg)
    header = {"alg": alg, "enc": "A256CBC-HS512", "kid": alg}
    add_encrypted(alg, encrypt(BODY, key, **header), "ok")
    stranger = OctKey.generate_key(int(alg[1:4]))
    add_encrypted(f"{alg}, another key", encrypt(BODY, stranger, **header), "decryption")
RSA = RSAKey.generate_key(2048)
for alg, crv in [("RSA-OAEP", None), ("RSA-OAEP-256", None), *((alg, crv) for alg in AGREEMENTS for crv in CURVES)]:
    kid = f"{alg} {crv}"
    key = RSA if crv is None else OKPKey.generate_key(crv) if crv == "X25519" else ECKey.generate_key(crv)
    keep(key, kid, alg)
    header = {"alg": alg, "enc": "A128CBC-HS256", "kid": kid}
    good = encrypt(NESTED, key, **header, cty="JWT")
    add_encrypted(kid, good, "ok")
    add_encrypted(f"{kid}, unsigned claims", encrypt(BODY, key, **header), "unsigned")
    add_encrypted(f"{kid}, a bad signature inside", encrypt(with_part(NESTED, 2, lambda text: turned(text, 5)), key, **header), "signature")
    add_encrypted(f"{kid}, the text changed", with_part(good, 3, lambda text: turned(text, 0)), "decryption")
add_encrypted("RSA1_5", encrypt(BODY, RSA, alg="RSA1_5", enc="A128CBC-HS256", kid="RSA-OAEP None"), "algorithm")
add_encrypted("crit", with_part(good, 0, lambda _: b64(b'{"alg":"dir","enc":"A128GCM","crit":["x"],"x":1}')), "crit")
add_encrypted("alg none", with_part(good, 0, lambda _: b64(b'{"alg":"none","enc":"A128GCM"}')), "algorithm")
add_encrypted("no enc", with_part(good, 0, lambda _: b64(b'{"alg":"dir"}')), "malformed")


def public(algorithm):
    key = KEYS[algorithm]
    made = key.as_dict(private=algorithm.startswith("HS"))
    return made | {"kid": algorithm, "alg": algorithm, "use": "sig"}


print(
    json.dumps(
        {
            "implementation": f"joserfc {version('joserfc')} and dilithium-py {version('dilithium-py')} (PyPI)",
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "jwks": {"keys": [public(algorithm) for algorithm in ALGORITHMS]},
            "tokens": TOKENS,
            "decryptionKeys": DECRYPTION_KEYS,
            "encrypted": ENCRYPTED,
        }
    )
)
