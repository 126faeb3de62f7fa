"""Makes the seeds of the corpus: real tokens, real key sets, and what verifiers have stumbled over.

The keys are made anew and their private halves are forgotten, so the tokens of an earlier run no longer verify: their
files are replaced. Inputs that fuzzing has found have other names and stay.

    pip install joserfc dilithium-py && python3 fuzz/make_seeds.py
"""

import base64
import json
import textwrap
import zlib
from pathlib import Path

from dilithium_py import ml_dsa
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

ROOT = Path(__file__).resolve().parent
KEYS = ROOT / "../crates/jose/tests/corpus/keys.json"
ALGORITHMS = "HS256 HS384 HS512 RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA".split()
ML_DSA = ["ML-DSA-44", "ML-DSA-65", "ML-DSA-87"]
ALGORITHMS += ML_DSA
CLAIMS = {"iss": "https://issuer.example", "sub": "alice", "aud": ["api"], "iat": 1700000000, "exp": 1700000600}
GOOD = json.dumps(CLAIMS, separators=(",", ":"))


def b64(data):
    data = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class MlDsaKey:
    """A key pair of ML-DSA, which joserfc does not know."""

    def __init__(self, algorithm):
        self.algorithm = algorithm
        self.scheme = getattr(ml_dsa, algorithm.replace("-", "_"))
        self.public, self.private = self.scheme.keygen()

    def as_dict(self, private):
        return {"kty": "AKP", "pub": b64(self.public)}

    def as_pem(self, private):
        identifier = bytes([6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 17 + ML_DSA.index(self.algorithm)])
        bits = bytes([0x03, 0x82]) + (len(self.public) + 1).to_bytes(2, "big") + b"\0" + self.public
        body = bytes([0x30, len(identifier)]) + identifier + bits
        spki = base64.b64encode(bytes([0x30, 0x82]) + len(body).to_bytes(2, "big") + body).decode()
        lines = "\n".join(textwrap.wrap(spki, 64))
        return f"-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----\n".encode()

    def token(self, header, payload):
        message = f"{b64(json.dumps(header))}.{b64(payload)}"
        return f"{message}.{b64(self.scheme.sign(self.private, message.encode()))}"


def generate(algorithm):
    if algorithm in ML_DSA:
        return MlDsaKey(algorithm)
    if algorithm == "EdDSA":
        return OKPKey.generate_key("Ed25519")
    family, size = algorithm[:2], int(algorithm[2:])
    if family == "HS":
        return OctKey.generate_key(size)
    if family == "ES":
        return ECKey.generate_key({256: "P-256", 384: "P-384", 512: "P-521"}[size])
    return RSAKey.generate_key(2048)


KEY = {algorithm: generate(algorithm) for algorithm in ALGORITHMS}


def public(algorithm):
    key = KEY[algorithm].as_dict(private=algorithm.startswith("HS"))
    return {"kid": algorithm, "use": "sig", "alg": algorithm} | {
        name: key[name] for name in ("kty", "crv", "n", "e", "x", "y", "k", "pub") if name in key
    }


def sign(algorithm, payload=GOOD, **members):
    header = {"alg": algorithm, "kid": algorithm, "typ": "JWT"} | members
    if algorithm in ML_DSA:
        return KEY[algorithm].token(header, payload)
    return jws.serialize_compact(header, payload, KEY[algorithm], algorithms=[algorithm])


def write(target, seeds):
    folder = ROOT / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in seeds.items():
        (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)


def tokens():
    seeds = {f"good_{algorithm}": sign(algorithm) for algorithm in ALGORITHMS}
    good = seeds["good_ES256"]
    header, payload, signature = good.split(".")
    none = b64('{"alg":"none"}')
    return seeds | {
        "no_claims": sign("HS256", "not json"),
        "spaced_claims": sign("HS256", json.dumps(CLAIMS, indent=2)),
        "duplicate_claims": sign("HS256", '{"sub":"a","sub":"b"}'),
        "empty": "",
        "dots": "." * 40,
        "two_dots": "..",
        "none": f"{none}.{payload}.",
        "none_signed": f"{none}.{payload}.{signature}",
        "padded": good + "==",
        "stray_bits": good[:-1] + ("x" if good[-1] != "x" else "z"),
        "standard_alphabet": good.replace("-", "+").replace("_", "/"),
        "new_line": good + "\n",
        "zero_signature": f"{header}.{payload}.{'A' * 86}",
        "der_signature": f"{header}.{payload}.{b64(bytes.fromhex('3006020101020101'))}",
        "long_signature": good + "A" * 44,
        "short_signature": good[:-20],
        "no_signature": f"{header}.{payload}.",
        "no_payload": f"{header}..{signature}",
        "five_parts": ".".join([b64('{"alg":"dir","enc":"A128GCM"}'), "", "A" * 16, "AAAA", "A" * 22]),
        "not_ascii": good + "\u00e9",
        "nul": good + "\0",
    }


def headers():
    texts = {
        "plain": '{"alg":"HS256"}',
        "usual": '{"alg":"HS256","kid":"HS256","typ":"JWT"}',
        "spaced": '{ "alg" : "HS256" ,\n"typ":"at+jwt"}',
        "escaped": '{"\\u0061lg":"HS\\u0032\\u003506"}',
        "escaped_name": '{"\\u0061lg":"HS256"}',
        "other_algorithm": '{"alg":"RS256","kid":"RS256"}',
        "none": '{"alg":"nOnE"}',
        "twice": '{"alg":"HS256","alg":"none"}',
        "twice_escaped": '{"alg":"HS256","\\u0061lg":"none"}',
        "crit": '{"alg":"HS256","crit":["exp"],"exp":1}',
        "crit_null": '{"alg":"HS256","crit":null}',
        "b64": '{"alg":"HS256","b64":false,"crit":["b64"]}',
        "own_key": '{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"},"jku":"http://127.0.0.1/","x5c":["AAAA"]}',
        "kid_path": '{"alg":"HS256","kid":"../../etc/passwd"}',
        "kid_number": '{"alg":"HS256","kid":1}',
        "kid_null": '{"alg":"HS256","kid":null}',
        "alg_list": '{"alg":["HS256"]}',
        "surrogate": '{"alg":"HS256","x":"\\ud800"}',
        "pair": '{"alg":"HS256","x":"\\ud83d\\ude00"}',
        "number": '{"alg":"HS256","x":1e400,"y":-0,"z":0.1e-7}',
        "nested_number": '{"alg":"HS256","x":[1e400]}',
        "deep": '{"alg":"HS256","x":' + "[" * 31 + "]" * 31 + "}",
        "too_deep": '{"alg":"HS256","x":' + "[" * 32 + "]" * 32 + "}",
        "brackets_in_text": '{"alg":"HS256","x":"' + "[" * 60 + '"}',
        "array": '["HS256"]',
        "trailing": '{"alg":"HS256"}{}',
        "mark": "\ufeff" + '{"alg":"HS256"}',
        "empty": "",
    }
    return {name: text.encode() for name, text in texts.items()} | {"not_utf8": b'{"alg":"HS256","x":"\xff"}'}


def claims():
    texts = {
        "usual": GOOD,
        "spaced": json.dumps(CLAIMS, indent=1),
        "nested": '{"realm_access":{"roles":["a","b"],"x":{}},"https://a.example/app":{"y":[]},"a.b":1,"a":{"b":2}}',
        "numbers": '{"exp":1700000000.5,"nbf":17e8,"iat":-0,"big":12345678901234567890,"x":1e400,"y":1E-400,"z":-1.50}',
        "range": '{"exp":9223372036854775807,"nbf":-9223372036854775808,"iat":9223372036854775808}',
        "exp_text": '{"exp":"1700000000"}',
        "exp_huge": '{"exp":1e400,"nbf":-1e400,"iat":1e308}',
        "truth": '{"st":0,"irt":"","username":42,"sub":["a"],"t":true,"f":false,"n":null}',
        "escapes": '{"\\u0073ub":"\\u00fc\\n\\"\\\\\\/","":"","\\ud83d\\ude00":"\U0001f600"}',
        "surrogate": '{"sub":"\\ud800"}',
        "surrogate_name": '{"\\udc00":1}',
        "twice": '{"a":1,"a":1}',
        "twice_escaped": '{"a":1,"\\u0061":1}',
        "twice_nested": '{"x":[{"a":1,"a":1}]}',
        "nested_number": '{"x":[1e400,-1e999]}',
        "not_a_number": '{"exp":NaN}',
        "leading_zero": '{"exp":01}',
        "two_numbers": '{"exp":17 0000000}',
        "split_literal": '{"t":tr ue,"n":- 1}',
        "deep": '{"a":' * 32 + "1" + "}" * 32,
        "too_deep": '{"a":' * 33 + "1" + "}" * 33,
        "empty_object": "{}",
        "many": "{" + ",".join(f'"c{i}":{i}' for i in range(200)) + "}",
        "array": "[]",
        "null": "null",
        "trailing": "{} x",
        "mark": "\ufeff{}",
        "control": '{"a":"\x01"}',
        "empty": "",
    }
    return {name: text.encode() for name, text in texts.items()} | {"not_utf8": b'{"a":"\xff"}'}


def key_sources():
    keys = {algorithm: public(algorithm) for algorithm in ALGORITHMS}
    pem = {algorithm: KEY[algorithm].as_pem(private=False).decode() for algorithm in ALGORITHMS if algorithm[:2] != "HS"}
    legacy = [{"kid": "a", "secret": "short"}, {"kid": "b", "cert": pem["RS256"]}, {"secret": "", "cert": ""}]
    rsa, ec, okp, octets, akp = (keys[name] for name in ("RS256", "ES256", "EdDSA", "HS256", "ML-DSA-65"))

    def bare(key, **members):
        return {name: value for name, value in (key | members).items() if name not in ("alg", "use")}

    odd = {
        "no_kid": bare(ec, kid=None),
        "kid_number": ec | {"kid": 7},
        "other_curve": ec | {"crv": "P-384"},
        "unknown_curve": ec | {"crv": "secp256k1"},
        "off_curve": ec | {"y": ec["x"]},
        "infinity": ec | {"x": "A" * 43, "y": "A" * 43},
        "short_x": ec | {"x": ec["x"][:-4]},
        "for_encryption": ec | {"use": "enc"},
        "cannot_verify": bare(ec, key_ops=["sign"]),
        "can_verify": bare(ec, key_ops=["sign", "verify"]),
        "wrong_alg": ec | {"alg": "RS256"},
        "unknown_alg": ec | {"alg": "ES256K"},
        "rsa_any": bare(rsa),
        "rsa_zero_first": bare(rsa, n=b64(b"\0" + base64.urlsafe_b64decode(rsa["n"] + "=="))),
        "rsa_1024": bare(rsa, n=rsa["n"][:171]),
        "rsa_even": bare(rsa, n=rsa["n"][:-2] + "AA"),
        "rsa_e_1": bare(rsa, e="AQ"),
        "rsa_e_huge": bare(rsa, e="_" * 86),
        "rsa_private": bare(rsa, d="AAAA", p="AAAA"),
        "rsa_only_private": {"kty": "RSA", "d": "AAAA"},
        "secret_any": bare(octets),
        "secret_short": bare(octets, k="AAAA"),
        "secret_empty": bare(octets, k=""),
        "secret_pem": bare(octets, k=b64(pem["ES256"])),
        "secret_jwk": bare(octets, k=b64(json.dumps(ec))),
        "okp_short": okp | {"x": okp["x"][:-4]},
        "okp_x25519": bare(okp, crv="X25519"),
        "akp_bare": bare(akp),
        "akp_other_set": akp | {"alg": "ML-DSA-87"},
        "akp_other_alg": akp | {"alg": "EdDSA"},
        "akp_short": akp | {"pub": akp["pub"][:-4]},
        "akp_private": akp | {"priv": "A" * 43},
        "akp_padded": akp | {"pub": akp["pub"].replace("-", "+").replace("_", "/") + "=" * (-len(akp["pub"]) % 4)},
        "post_quantum": {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"},
    }
    seeds = {f"jwk_{name}": json.dumps({"keys": [key]}) for name, key in odd.items()}
    private = json.loads((ROOT / "../crates/jose/tests/suite/data/jwe.json").read_text())["keys"]
    seeds |= {f"private_{key['kid']}": json.dumps(key) for key in private}
    seeds |= {
        "private_default": json.dumps([private[0] | {"default": True}, private[1]]),
        "private_two_defaults": json.dumps([key | {"default": True} for key in private[:2]]),
        "private_asymmetric_default": json.dumps([private[-1] | {"default": True}]),
        "private_bound": json.dumps({"keys": [private[2] | {"alg": "dir", "enc": "A256GCM"}]}),
        "private_other_half": json.dumps(private[6] | {"d": private[6]["x"]}),
    }
    seeds |= {f"pem_{algorithm}": pem[algorithm] for algorithm in ("RS256", "ES256", "ES384", "ES512", "EdDSA", *ML_DSA)}
    seeds |= {
        "single": json.dumps(ec),
        "set_of_all": json.dumps({"keys": list(keys.values())}),
        "mixed": json.dumps({"keys": [octets, ec]}),
        "pem_two": pem["ES256"] + "some text\n" + pem["EdDSA"],
        "pem_broken": pem["ES256"].replace("A", "B"),
        "pem_unended": pem["ES256"].split("-----END")[0],
        "pem_private": pem["ES256"].replace("PUBLIC", "EC PRIVATE"),
        "pem_certificate": pem["ES256"].replace("PUBLIC KEY", "CERTIFICATE"),
        "pem_pkcs1": pem["RS256"].replace("PUBLIC KEY", "RSA PUBLIC KEY"),
        "legacy": json.dumps(legacy),
        "legacy_numbers": '[{"kid":1,"secret":2},3,null]',
        "twice": '{"keys":[],"keys":[]}',
        "twice_in_key": '{"keys":[{"kty":"oct","kty":"oct"}]}',
        "no_keys": '{"keys":[]}',
        "keys_object": '{"keys":{}}',
        "many": json.dumps({"keys": [{"kty": "x"}] * 300}),
        "deep": '{"keys":' + "[" * 40 + "]" * 40 + "}",
        "html": "<html>",
        "empty": "",
    }
    return seeds


def encrypted():
    made = json.loads((ROOT / "../crates/jose/tests/suite/data/jwe.json").read_text())
    seeds = {}
    for case in made["tokens"]:
        name = f"{case['alg']}_{case['kid']}" + ("" if case["enc"] == "A256GCM" else f"_{case['enc']}")
        if case["enc"] == "A256GCM" or case["alg"] == "dir":
            seeds[name.replace("+", "_")] = case["token"]
    header, key, iv, text, tag = seeds["A256KW_oct256"].split(".")
    seeds |= {
        "short_tag": ".".join([header, key, iv, text, tag[:16]]),
        "no_key": ".".join([header, "", iv, text, tag]),
        "no_iv": ".".join([header, key, "", text, tag]),
        "no_text": ".".join([header, key, iv, "", tag]),
        "dots": "....",
        "zeros": ".".join([header, "A" * len(key), "A" * len(iv), "A" * len(text), "A" * len(tag)]),
        "rsa1_5": ".".join([b64('{"alg":"RSA1_5","enc":"A128GCM"}'), key, iv, text, tag]),
        "pbes2": ".".join([b64('{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2s":"AAAA","p2c":9999999}'), key, iv, text, tag]),
        "epk_infinity": ".".join([b64('{"alg":"ECDH-ES","enc":"A128GCM","kid":"P-256","epk":{"kty":"EC","crv":"P-256","x":"' + "A" * 43 + '","y":"' + "A" * 43 + '"}}'), "", iv, text, tag]),
        "epk_other_curve": ".".join([b64('{"alg":"ECDH-ES","enc":"A128GCM","kid":"X25519","epk":{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}}'), "", iv, text, tag]),
        "epk_low_order": ".".join([b64('{"alg":"ECDH-ES","enc":"A128GCM","kid":"X25519","epk":{"kty":"OKP","crv":"X25519","x":"' + "A" * 43 + '"}}'), "", iv, text, tag]),
    }

    def deflated(data):
        compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
        return compressor.compress(data) + compressor.flush()

    sealed = b'{"alg":"dir","enc":"A128GCM","kid":"oct128"%s}\n%s'
    deflate = b',"zip":"DEF"'
    nested = made["nested"].encode()
    return seeds | {
        "sealed_claims": sealed % (b"", GOOD.encode()),
        "sealed_nothing": sealed % (b"", b""),
        "sealed_nested": sealed % (b',"cty":"jwt"', nested),
        "sealed_nested_unnamed": sealed % (b"", nested),
        "sealed_no_nested": sealed % (b',"cty":"JWT"', b"{}"),
        "sealed_encrypted": sealed % (b',"cty":"JWT"', b"a.b.c.d.e"),
        "sealed_deflated": sealed % (deflate, deflated(GOOD.encode())),
        "sealed_stored": sealed % (deflate, b"\x01\x02\x00\xfd\xff{}"),
        "sealed_bomb": sealed % (deflate, deflated(bytes(10_000_000))),
        "sealed_at_the_cap": sealed % (deflate, deflated(bytes(64 * 1024))),
        "sealed_over_the_cap": sealed % (deflate, deflated(bytes(64 * 1024 + 1))),
        "sealed_undeflated": sealed % (deflate, b"{}"),
        "sealed_other_zip": sealed % (b',"zip":"GZ"', b"{}"),
        "sealed_crit": sealed % (b',"crit":["exp"],"exp":1', b"{}"),
        "sealed_spaced": b'{ "alg" : "dir", "enc":"A128GCM" , "kid":"oct128" }\n { }',
    }


KEYS.write_text(json.dumps({"keys": [public(algorithm) for algorithm in ALGORITHMS]}, indent=1) + "\n")
write("token", tokens())
write("header", headers())
write("claims", claims())
write("key_set", key_sources())
write("jwe", encrypted())
