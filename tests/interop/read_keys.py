"""Which tokens joserfc (PyPI) verifies with which key sets: reads a list of sets with their tokens, prints a list of answers.

An answer is true or false for each token, or null where the library has no way to read such a set.
"""

import base64
import json
import sys
import warnings

from joserfc import jws
from joserfc.jwk import JWKRegistry

warnings.simplefilter("ignore")


def header_of(token):
    text = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def import_each(items):
    """The keys that can be read: one that cannot spoils no other."""
    keys = []
    for item in items:
        try:
            keys.append(JWKRegistry.import_key(item))
        except Exception:  # noqa: BLE001 - the library raises many kinds.
            pass
    return keys


def from_map(document):
    keys = []
    for kid, pem in document.items():
        for key_type in ("RSA", "EC", "OKP"):
            try:
                keys.append(JWKRegistry.import_key(pem, key_type, {"kid": kid}))
                break
            except Exception:  # noqa: BLE001
                pass
    return keys


def read(form, text):
    document = json.loads(text.encode())
    if form == "map":
        return from_map(document)
    if form == "key":
        return import_each([document])
    return import_each(document if form == "list" else document["keys"])


def verifies(token, keys):
    header = header_of(token)
    if "kid" in header:
        keys = [key for key in keys if key.kid == header["kid"]]
    registry = jws.JWSRegistry(algorithms=[header["alg"]], strict_check_header=False)
    for key in keys:
        try:
            jws.deserialize_compact(token, key, registry=registry)
            return True
        except Exception:  # noqa: BLE001
            pass
    return False


def judge(token, keys):
    # It has no ML-DSA.
    if keys is None or header_of(token)["alg"].startswith("ML-DSA-"):
        return None
    return verifies(token, keys)


answers = []
with open(sys.argv[1], encoding="utf-8") as cases:
    for case in json.load(cases):
        try:
            keys = read(case["form"], case["text"])
        except Exception:  # noqa: BLE001
            keys = None
        answers.append([judge(token, keys) for token in case["tokens"]])
print(json.dumps(answers))
