"""idpyoidc's provider in Flask, with JWTs as access tokens: for a client by its secret, and for a user who names himself. Where
the user logs out, LOGOUT_URI is told."""

import json
import os

from cryptojwt import KeyJar
from flask import Flask, Response, redirect, request
from idpyoidc.server import Server
from idpyoidc.server.configure import OPConfiguration
from idpyoidc.server.cookie_handler import CookieHandler

from signing_keys import KEYS

ISSUER, STATE = os.environ["ISSUER"], os.environ["STATE"]

keys = KeyJar()
for owner in ("", ISSUER):
    keys.import_jwks({"keys": [key.as_dict(private=True) for key in KEYS]}, owner)

tokens = {"class": "idpyoidc.server.token.jwt_token.JWTToken", "kwargs": {"lifetime": 3600, "aud": ["https://api.example"], "alg": "ES256"}}
GRANTS = {
    "client_credentials": {"class": "idpyoidc.server.oauth2.token_helper.client_credentials.ClientCredentials"},
    "authorization_code": {"class": "idpyoidc.server.oidc.token_helper.access_token.AccessTokenHelper"},
}
configuration = {
    "issuer": ISSUER,
    "endpoint": {
        "provider_config": {"path": ".well-known/openid-configuration", "class": "idpyoidc.server.oidc.provider_config.ProviderConfiguration", "kwargs": {"client_authn_method": None}},
        "token": {"path": "token", "class": "idpyoidc.server.oidc.token.Token", "kwargs": {"client_authn_method": ["client_secret_post"], "grant_types_helpers": GRANTS}},
        "authorization": {"path": "authorization", "class": "idpyoidc.server.oidc.authorization.Authorization", "kwargs": {"client_authn_method": None, "response_types_supported": ["code"]}},
        "session": {"path": "session", "class": "idpyoidc.server.oidc.session.Session", "kwargs": {"client_authn_method": None, "post_logout_uri_path": "gone", "logout_verify_url": f"{ISSUER}/verified", "signing_alg": "ES256"}},
    },
    "token_handler_args": {"jwks_def": {"private_path": f"{STATE}/token_keys.json", "read_only": False, "key_defs": [{"type": "oct", "bytes": "24", "use": ["enc"], "kid": "code"}]}, "code": {"kwargs": {"lifetime": 600}}, "token": tokens, "id_token": {"class": "idpyoidc.server.token.id_token.IDToken", "kwargs": {}}},
    "authentication": {"user": {"acr": "urn:oasis:names:tc:SAML:2.0:ac:classes:InternetProtocol", "class": "idpyoidc.server.user_authn.user.NoAuthn", "kwargs": {"user": "nobody"}}},
    "session_params": {"encrypter": {"kwargs": {"keys": {"key_defs": [{"type": "OCT", "use": ["enc"], "kid": "password"}, {"type": "OCT", "use": ["enc"], "kid": "salt"}]}, "iterations": 1}}},
    "authz": {"class": "idpyoidc.server.authz.AuthzHandling", "kwargs": {"grant_config": {"usage_rules": {"authorization_code": {"supports_minting": ["access_token", "id_token"], "max_usage": 1, "expires_in": 600}, "access_token": {"expires_in": 3600}}, "expires_in": 3600}}},
    "claims_interface": {"class": "idpyoidc.server.session.claims.ClaimsInterface", "kwargs": {}},
    "userinfo": {"class": "idpyoidc.server.user_info.UserInfo", "kwargs": {"db": {}}},
    "keys": {"uri_path": "keys", "key_defs": []},
}
server = Server(OPConfiguration(configuration, base_path=STATE, domain="127.0.0.1", port=int(os.environ["PORT"])), keyjar=keys, cwd=STATE)
server.context.cdb["robot"] = {"client_id": "robot", "client_secret": "of-the-robot", "grant_types_supported": ["client_credentials"], "allowed_scopes": ["read"], "token_endpoint_auth_method": "client_secret_post"}
server.context.cdb["web"] = {
    "client_id": "web",
    "client_secret": "of-the-web",
    "redirect_uris": [("http://127.0.0.1:9/callback", {})],
    "response_types_supported": ["code"],
    "grant_types_supported": ["authorization_code"],
    "allowed_scopes": ["openid"],
    "token_endpoint_auth_method": "client_secret_post",
    "id_token_signed_response_alg": "ES256",
    "backchannel_logout_uri": os.environ.get("LOGOUT_URI"),
}
server.context.cookie_handler = CookieHandler(sign_key="of-the-cookies-of-this-test-only", name={"session": "session", "register": "register", "session_management": "management"})

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


def cookies():
    return [{"name": name, "value": value} for name, value in request.cookies.items()]


@app.get("/authorization")
def authorization():
    endpoint = server.get_endpoint("authorization")
    # No page that asks: the user is whom the request names.
    server.context.authn_broker.get_method_by_id("user").user = request.args["login_hint"]
    http = {"headers": dict(request.headers), "method": request.method, "url": request.url, "cookie": cookies()}
    parsed = endpoint.parse_request(request.args.to_dict(), http_info=http)
    result = endpoint.process_request(parsed, http_info=http)
    told = endpoint.do_response(request=parsed, **result)
    response = redirect(told["response"], 303)
    for cookie in result["cookie"]:
        response.set_cookie(cookie["name"], cookie["value"])
    return response


@app.get("/session")
def session():
    endpoint = server.get_endpoint("session")
    return redirect(endpoint.process_request({}, http_info={"cookie": cookies()})["redirect_location"], 303)


@app.get("/verified")
def verified():
    endpoint = server.get_endpoint("session")
    claims = endpoint.unpack_signed_jwt(request.args["sjwt"])
    endpoint.do_verified_logout(sid=claims["sid"])
    return redirect(claims["redirect_uri"], 303)


app.run("127.0.0.1", int(os.environ["PORT"]))
