"""Security event tokens (RFC 8417) by joserfc (PyPI): one for each subject that is an argument, and wrong ones, whose fault is named in
the words of RFC 8935.
"""

import json
import sys
import time

from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

ISSUER = "https://joserfc.example.com"
EVENT = "https://schemas.openid.net/secevent/risc/event-type/account-disabled"
NOW = int(time.time())
KEYS = {
    "RS256": RSAKey.generate_key(2048),
    "ES256": ECKey.generate_key("P-256"),
    "PS256": RSAKey.generate_key(2048),
    "EdDSA": OKPKey.generate_key("Ed25519"),
}


def claims(subject, **changes):
    told = {
        "iss": ISSUER,
        "aud": ["other", "edge"],
        "iat": NOW,
        "jti": f"joserfc {subject}",
        "sub_id": {"format": "opaque", "id": subject},
        "events": {EVENT: {"reason": "hijacking"}},
    }
    return {**told, **changes}


def sign(algorithm, payload, key=None, **header):
    header = {"alg": algorithm, "kid": algorithm, "typ": "secevent+jwt", **header}
    return jwt.encode(header, payload, key or KEYS[algorithm], algorithms=[algorithm])


names = list(KEYS)
sets = [
    {"sub": sub, "err": None, "token": sign(names[index % 4], claims(sub))} for index, sub in enumerate(sys.argv[1:])
]
wrong = [
    ("invalid_request", sign("ES256", claims("x"), typ="logout+jwt")),
    ("invalid_request", sign("ES256", claims("x", sub="x"))),
    ("invalid_audience", sign("ES256", claims("x", aud="other"))),
    ("invalid_issuer", sign("ES256", claims("x", iss=ISSUER + "/"))),
    ("invalid_key", sign("ES256", claims("x"), key=ECKey.generate_key("P-256"))),
]
sets += [{"sub": None, "err": err, "token": token} for err, token in wrong]
jwks = {"keys": [{**key.as_dict(private=False), "kid": name, "alg": name, "use": "sig"} for name, key in KEYS.items()]}
print(json.dumps({"issuer": ISSUER, "jwks": jwks, "sets": sets}))
