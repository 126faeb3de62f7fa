"""Makes ml_dsa.json: the examples of RFC 9964 appendix A.1 and signatures of other constructions under their keys.

The RFC prints each key's seed, 32 zero bytes, and signs without randomness, so that its examples come out of any
implementation. The kid of each key is its thumbprint, by which the public key is known to be the one of the RFC.

    pip install dilithium-py && python3 make_ml_dsa.py >ml_dsa.json
"""

import base64
import hashlib
import json

from dilithium_py import ml_dsa

PAYLOAD = "It\u2019s a dangerous business, Frodo, going out your door."
THUMBPRINTS = {
    44: "T4xl70S7MT6Zeq6r9V9fPJGVn76wfnXJ21-gyo0Gu6o",
    65: "Suiu29qbfuaBaR4Ats-c6XQBePB_OpAxAwcTR_0KXVM",
    87: "tRn1JNIkgMsABVQBlXeDHxAIcclh-2IX0UdDEzPt5XU",
}


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


examples, others = [], []
for number, thumbprint in THUMBPRINTS.items():
    algorithm = f"ML-DSA-{number}"
    pure = getattr(ml_dsa, f"ML_DSA_{number}")
    hashed = getattr(ml_dsa, f"HASH_ML_DSA_{number}_WITH_SHA512")
    public, private = pure.key_derive(bytes(32))
    key = {"alg": algorithm, "kty": "AKP", "pub": b64(public)}
    assert b64(hashlib.sha256(compact(key)).digest()) == thumbprint

    message = f"{b64(compact({'alg': algorithm, 'kid': thumbprint}))}.{b64(PAYLOAD.encode())}"
    signed = message.encode()
    token = f"{message}.{b64(pure.sign(private, signed, deterministic=True))}"
    examples.append({"jwk": {"kid": thumbprint} | key, "jws": token})

    def add(what, signature):
        others.append({"what": what, "kid": thumbprint, "jws": f"{message}.{b64(signature)}"})

    add("a context", pure.sign(private, signed, ctx=b"JWT", deterministic=True))
    if number == 44:
        add("HashML-DSA with SHA-512", hashed.sign(private, signed, deterministic=True))
        # FIPS 204 algorithm 7 alone, without the prefix of algorithm 2.
        add("the internal function", pure._sign_internal(private, signed, bytes(32)))

print(json.dumps({"examples": examples, "others": others}, indent=1))
