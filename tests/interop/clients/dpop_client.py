"""A client whose token is bound to its key (DPoP, RFC 9449), by requests-oauth2client. On standard input: `token_endpoint`,
`resource`, `url` and `algorithm`, that of the key. Printed: the statuses of two requests with the token, and of one with the same
token under another key."""

import json
import sys

import requests
from requests_oauth2client import ClientSecretBasic, DPoPKey, DPoPToken, OAuth2Client
from requests_oauth2client.dpop import InvalidUseDPoPNonceResponse

asked = json.load(sys.stdin)
session = requests.Session()
client = OAuth2Client(
    token_endpoint=asked["token_endpoint"],
    auth=ClientSecretBasic("by-key", "of the client"),
    session=session,
    dpop_alg=asked["algorithm"],
)
token = client.client_credentials(scope="read", resource=asked["resource"], dpop=True)
first = session.get(asked["url"], auth=token)
second = session.get(asked["url"], auth=token)

stranger = DPoPToken(str(token.access_token), _dpop_key=DPoPKey.generate(asked["algorithm"]))
try:
    other = session.get(asked["url"], auth=stranger).status_code
except InvalidUseDPoPNonceResponse as refused:
    # It takes each challenge of DPoP for one that asks for a nonce.
    other = refused.response.status_code
print(json.dumps({"statuses": [first.status_code, second.status_code], "otherKey": other}))
