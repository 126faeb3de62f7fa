"""idpyoidc's provider in Flask, with JWTs as access tokens for a client by its secret."""

import json
import os

from cryptojwt import KeyJar
from flask import Flask, Response, request
from idpyoidc.server import Server
from idpyoidc.server.configure import OPConfiguration

from signing_keys import KEYS

ISSUER, STATE = os.environ["ISSUER"], os.environ["STATE"]

keys = KeyJar()
for owner in ("", ISSUER):
    keys.import_jwks({"keys": [key.as_dict(private=True) for key in KEYS]}, owner)

tokens = {"class": "idpyoidc.server.token.jwt_token.JWTToken", "kwargs": {"lifetime": 3600, "aud": ["https://api.example"], "alg": "ES256"}}
configuration = {
    "issuer": ISSUER,
    "endpoint": {
        "provider_config": {"path": ".well-known/openid-configuration", "class": "idpyoidc.server.oidc.provider_config.ProviderConfiguration", "kwargs": {"client_authn_method": None}},
        "token": {"path": "token", "class": "idpyoidc.server.oauth2.token.Token", "kwargs": {"client_authn_method": ["client_secret_post"]}},
    },
    "token_handler_args": {"jwks_def": {"private_path": f"{STATE}/token_keys.json", "read_only": False, "key_defs": [{"type": "oct", "bytes": "24", "use": ["enc"], "kid": "code"}]}, "code": {"kwargs": {"lifetime": 600}}, "token": tokens},
    "session_params": {"encrypter": {"kwargs": {"keys": {"key_defs": [{"type": "OCT", "use": ["enc"], "kid": "password"}, {"type": "OCT", "use": ["enc"], "kid": "salt"}]}, "iterations": 1}}},
    "authz": {"class": "idpyoidc.server.authz.AuthzHandling", "kwargs": {"grant_config": {"usage_rules": {"access_token": {"expires_in": 3600}}, "expires_in": 3600}}},
    "claims_interface": {"class": "idpyoidc.server.session.claims.ClaimsInterface", "kwargs": {}},
    "userinfo": {"class": "idpyoidc.server.user_info.UserInfo", "kwargs": {"db": {}}},
    "keys": {"uri_path": "keys", "key_defs": []},
}
server = Server(OPConfiguration(configuration, base_path=STATE, domain="127.0.0.1", port=int(os.environ["PORT"])), keyjar=keys, cwd=STATE)
server.context.cdb["robot"] = {"client_id": "robot", "client_secret": "of-the-robot", "grant_types_supported": ["client_credentials"], "allowed_scopes": ["read"], "token_endpoint_auth_method": "client_secret_post"}

app = Flask(__name__)


def answer(endpoint, arguments):
    http = {"headers": dict(request.headers), "method": request.method, "url": request.url}
    parsed = endpoint.parse_request(arguments, http_info=http)
    result = parsed.to_dict() if "error" in parsed else endpoint.process_request(parsed, http_info=http)
    if "error" in result:
        return Response(json.dumps(result if isinstance(result, dict) else result.to_dict()), 400)
    told = endpoint.do_response(request=parsed, **result)
    return Response(told["response"], content_type="application/json")


@app.get("/.well-known/openid-configuration")
def metadata():
    return answer(server.get_endpoint("provider_config"), {})


@app.get("/keys")
def published():
    return Response(keys.export_jwks_as_json(), content_type="application/json")


@app.post("/token")
def token():
    return answer(server.get_endpoint("token"), request.form.to_dict())


app.run("127.0.0.1", int(os.environ["PORT"]))
