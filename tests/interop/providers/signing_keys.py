"""The keys of a provider in Python: STATE is their folder, KEYS the numbers of those that it has, the first of which signs."""

import os

from joserfc.jwk import ECKey, OKPKey, RSAKey


def key(number, algorithm):
    path = f"{os.environ['STATE']}/key{number}.pem"
    parameters = {"kid": f"key {number}", "alg": algorithm, "use": "sig"}
    kind, size = {"RS256": (RSAKey, 2048), "ES256": (ECKey, "P-256"), "EdDSA": (OKPKey, "Ed25519")}[algorithm]
    if not os.path.exists(path):
        with open(path, "wb") as file:
            file.write(kind.generate_key(size, private=True).as_pem(private=True))
    with open(path, "rb") as file:
        return kind.import_key(file.read(), parameters)


def pem(number):
    with open(f"{os.environ['STATE']}/key{number}.pem", encoding="ascii") as file:
        return file.read()


NUMBERS = [int(number) for number in os.environ["KEYS"].split(",")]
KEYS = [key(number, os.environ["ALGORITHM"]) for number in NUMBERS]
