"""Authlib's authorization server in Flask, with JWTs of RFC 9068 for clients by their secret (RFC 6749 section 4.4)."""

import os

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, grants
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
        return method == "client_secret_basic"

    def check_grant_type(self, grant_type):
        return grant_type == "client_credentials"


class Tokens(JWTBearerTokenGenerator):
    def get_jwks(self):
        return KEYS[0]

    def get_audiences(self, client, user, scope):
        return ["https://api.example"] if scope == "read" else ["https://other.example"]


app = Flask(__name__)
server = AuthorizationServer(app, query_client=lambda name: Robot() if name == "robot" else None, save_token=lambda *_: None)
server.register_grant(grants.ClientCredentialsGrant)
server.register_token_generator("client_credentials", Tokens(issuer=ISSUER, alg=os.environ["ALGORITHM"]))


@app.get("/.well-known/openid-configuration")
def metadata():
    return jsonify(issuer=ISSUER, token_endpoint=f"{ISSUER}/token", jwks_uri=f"{ISSUER}/keys", response_types_supported=["none"])


@app.get("/keys")
def keys():
    return jsonify(keys=[key.as_dict(private=False) for key in KEYS])


@app.post("/token")
def token():
    return server.create_token_response()


app.run("127.0.0.1", int(os.environ["PORT"]))
