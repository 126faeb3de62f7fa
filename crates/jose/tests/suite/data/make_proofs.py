"""Makes proofs.json: proofs of possession (RFC 9449) by three other implementations, each with the thumbprint that its maker has
of the key, and whether it names the RFC's access token.

requests-oauth2client signs with each algorithm that it knows, the npm package dpop with all of its own, and dilithium-py the
ML-DSA ones, whose header is written here. The keys are made anew and their private halves are forgotten.

    npm install dpop && pip install requests-oauth2client dilithium-py && python3 make_proofs.py >proofs.json
"""

import base64
import hashlib
import json
import subprocess
import time
import uuid

from dilithium_py import ml_dsa
from requests_oauth2client.dpop import DPoPKey

TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
METHOD = "GET"
URI = "https://resource.example.org/protectedresource"

NODE = """
const dpop = await import('dpop');
const [token, method, uri] = process.argv.slice(1);
const made = [];
for (const alg of ['ES256', 'Ed25519', 'RS256', 'PS256']) {
  const pair = await dpop.generateKeyPair(alg);
  const proof = await dpop.generateProof(pair, uri, method, undefined, token);
  made.push({ alg, jkt: await dpop.calculateThumbprint(pair.publicKey), proof });
}
console.log(JSON.stringify(made));
"""


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


ATH = b64(hashlib.sha256(TOKEN.encode()).digest())


def python(alg):
    key = DPoPKey.generate(alg=alg)
    return {"by": "requests-oauth2client", "alg": alg, "jkt": key.dpop_jkt, "proof": str(key.proof(METHOD, URI, ATH))}


def post_quantum(parameters):
    alg = f"ML-DSA-{parameters}"
    scheme = getattr(ml_dsa, alg.replace("-", "_"))
    public, private = scheme.keygen()
    jwk = {"kty": "AKP", "alg": alg, "pub": b64(public)}
    claims = {"jti": str(uuid.uuid4()), "htm": METHOD, "htu": URI, "iat": int(time.time()), "ath": ATH}
    message = b64(compact({"typ": "dpop+jwt", "alg": alg, "jwk": jwk})) + "." + b64(compact(claims))
    thumbprint = compact({name: jwk[name] for name in ("alg", "kty", "pub")})
    proof = f"{message}.{b64(scheme.sign(private, message.encode()))}"
    return {"by": "dilithium-py", "alg": alg, "jkt": b64(hashlib.sha256(thumbprint).digest()), "proof": proof}


node = subprocess.run(
    ["node", "--input-type=module", "-e", NODE, TOKEN, METHOD, URI], check=True, capture_output=True, text=True
)
proofs = [{"by": "dpop"} | made for made in json.loads(node.stdout)]
proofs += [python(alg) for alg in ("ES256", "ES384", "ES512", "EdDSA", "RS256", "PS256")]
proofs += [post_quantum(parameters) for parameters in (44, 65, 87)]
print(json.dumps({"token": TOKEN, "method": METHOD, "uri": URI, "proofs": proofs}, indent=1))
