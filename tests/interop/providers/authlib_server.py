"""Authlib's authorization server in Flask, with JWTs of RFC 9068 for clients by their secret (RFC 6749 section 4.4), or opaque
tokens for the scope of that name, of which it can be asked (RFC 7662)."""

import os
import secrets
import time

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, grants
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from flask import Flask, jsonify

from signing_keys import KEYS

ISSUER = os.environ["ISSUER"]


class Robot(ClientMixin):
    client_id = "robot"

    def get_client_id(self):
        return self.client_id

    def get_default_redirect_uri(self):
        return None

    def get_allowed_scope(self, scope):
        return scope

    def check_client_secret(self, client_secret):
        return client_secret == "of the robot"

    def check_endpoint_auth_method(self, method, endpoint):
        return method == ("client_secret_post" if endpoint == "introspection" else "client_secret_basic")

    def check_grant_type(self, grant_type):
        return grant_type == "client_credentials"


class Tokens(JWTBearerTokenGenerator):
    def get_jwks(self):
        return KEYS[0]

    def get_audiences(self, client, user, scope):
        return ["https://api.example"] if scope == "read" else ["https://other.example"]


class Issued:
    def __init__(self, token):
        self.end = int(time.time()) + token["expires_in"]

    def is_expired(self):
        return time.time() >= self.end

    def is_revoked(self):
        return False


issued = {}


class Introspection(IntrospectionEndpoint):
    # It compares a secret in `Authorization` as it came, though it is encoded there (RFC 6749 section 2.3.1).
    CLIENT_AUTH_METHODS = ["client_secret_post"]

    def query_token(self, token_string, token_type_hint):
        return issued.get(token_string)

    def check_permission(self, token, client, request):
        return True

    def introspect_token(self, token):
        return {"active": True, "token_type": "Bearer", "client_id": "robot", "sub": "robot", "exp": token.end}


def save(token, _request):
    issued[token["access_token"]] = Issued(token)


jwts = Tokens(issuer=ISSUER, alg=os.environ["ALGORITHM"])
opaque = BearerTokenGenerator(lambda **_: secrets.token_urlsafe(32))


def generate(**told):
    return (opaque if told.get("scope") == "opaque" else jwts)(**told)


app = Flask(__name__)
server = AuthorizationServer(app, query_client=lambda name: Robot() if name == "robot" else None, save_token=save)
server.register_grant(grants.ClientCredentialsGrant)
server.register_token_generator("client_credentials", generate)
server.register_endpoint(Introspection)


@app.get("/.well-known/openid-configuration")
def metadata():
    return jsonify(
        issuer=ISSUER,
        token_endpoint=f"{ISSUER}/token",
        introspection_endpoint=f"{ISSUER}/introspect",
        jwks_uri=f"{ISSUER}/keys",
        response_types_supported=["none"],
    )


@app.get("/keys")
def keys():
    return jsonify(keys=[key.as_dict(private=False) for key in KEYS])


@app.post("/token")
def token():
    return server.create_token_response()


@app.post("/introspect")
def introspect():
    return server.create_endpoint_response("introspection")


app.run("127.0.0.1", int(os.environ["PORT"]))
