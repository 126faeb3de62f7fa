#!/usr/bin/env python3
"""Writes keysets/: one key in every spelling that identity providers publish, a token of its making, and chains.

Needs openssl (3.0). The private keys are gone when it ends.
"""
import base64, json, os, subprocess, tempfile

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "keysets")
os.makedirs(HERE, exist_ok=True)
work = tempfile.TemporaryDirectory()


def openssl(*arguments, stdin=None):
    return subprocess.run(
        ["openssl", *arguments], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, cwd=work.name
    ).stdout


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def write(name, text):
    with open(os.path.join(HERE, name), "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())


def token(key, header):
    message = b64(json.dumps(header, separators=(",", ":")).encode()) + "." + b64(b'{"sub":"alice","exp":4102444800}')
    return message + "." + b64(openssl("dgst", "-sha256", "-sign", key, stdin=message.encode())) + "\n"


def new_key(name):
    openssl("genrsa", "-out", name, "2048")
    modulus = openssl("rsa", "-in", name, "-noout", "-modulus").decode().strip().split("=")[1]
    return bytes.fromhex(modulus)


# A modulus whose text has both characters in which the two alphabets differ.
while True:
    n = new_key("key.pem")
    if {"-", "_"} <= set(b64(n)):
        break
openssl("req", "-x509", "-new", "-key", "key.pem", "-subj", "/CN=issuer.example", "-days", "36500", "-out", "key.crt")
certificate = open(os.path.join(work.name, "key.crt")).read()
der = openssl("x509", "-in", "key.crt", "-outform", "DER")
rsa = {"kty": "RSA", "n": b64(n), "e": "AQAB"}


def jwks(**members):
    return json.dumps({"keys": [{**rsa, **members}]}, indent=1) + "\n"


write("token.jwt", token("key.pem", {"alg": "RS256"}))
write("plain.json", jwks())
write("x5c.json", jwks(use="sig", alg="RS256", kid="a", x5c=[base64.b64encode(der).decode()]))
write("empty_arrays.json", jwks(key_ops=[], oth=[], use="sig", x5c=[]))
write("null_members.json", jwks(use=None, alg=None, kid=None, key_ops=None, x5c=None, d=None, oth=None))
write("padded.json", jwks(n=base64.urlsafe_b64encode(n).decode()))
write("standard_base64.json", jwks(n=base64.b64encode(n).decode()))
write("byte_order_mark.json", b"\xef\xbb\xbf" + jwks().encode())
write("certificates_by_kid.json", json.dumps({"a": certificate}, indent=1) + "\n")
write("unregistered_alg.json", jwks(alg="RSA256"))
write("numeric_kid.json", jwks(kid=1399593380))
write("leading_zeros.json", jwks(n=b64(b"\0\0" + n), e=b64(b"\0\1\0\1")))
write("list.json", json.dumps([rsa], indent=1) + "\n")

# A leaf, the authority that issued it and the root above; a token of each one's key.
new_key("root.pem"), new_key("ca.pem"), new_key("leaf.pem")
openssl("req", "-x509", "-new", "-key", "root.pem", "-subj", "/CN=root", "-days", "36500", "-out", "root.crt")
for name, issuer in [("ca", "root"), ("leaf", "ca")]:
    openssl("req", "-new", "-key", f"{name}.pem", "-subj", f"/CN={name}", "-out", f"{name}.csr")
    openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{issuer}.crt", "-CAkey", f"{issuer}.pem", "-CAcreateserial",
            "-days", "36500", "-out", f"{name}.crt")
for name in ["leaf", "ca", "root"]:
    write(f"chain_{name}.crt.pem", open(os.path.join(work.name, f"{name}.crt")).read())
    write(f"chain_{name}.jwt", token(f"{name}.pem", {"alg": "RS256"}))
