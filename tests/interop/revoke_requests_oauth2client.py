"""Revokes a token with requests-oauth2client (PyPI) and prints what it made of the answer.

ENDPOINT ISSUER CLIENT_ID SECRET basic|post TOKEN
"""

import json
import sys

from requests_oauth2client import ClientSecretBasic, ClientSecretPost, EndpointError, OAuth2Client

endpoint, issuer, client_id, secret, method, token = sys.argv[1:]
proof = (ClientSecretBasic if method == "basic" else ClientSecretPost)(client_id, secret)
client = OAuth2Client(
    token_endpoint=f"{issuer}/token",
    revocation_endpoint=endpoint,
    issuer=issuer,
    auth=proof,
    # HTTP on the loopback.
    testing=True,
)
try:
    outcome = {"revoked": client.revoke_access_token(token)}
except EndpointError as error:
    outcome = {"revoked": False, "status": error.response.status_code, "error": error.error}
print(json.dumps(outcome))
