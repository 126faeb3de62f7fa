"""Glewlwyd (Debian) with its plugin for OpenID Connect: prepares the database and becomes the daemon, PROGRAM below ROOT.

With LOGOUT_URI there are two users and a client for them, which is told there of their logouts. With HOLDER, a JWK set, tokens may
be bound to keys and certificates of clients, and there is one whose certificate is in that set: `holder`. With INTROSPECTION clients
may ask about tokens."""

import base64
import gzip
import hashlib
import json
import os
import sqlite3

from joserfc.jwk import ECKey

ISSUER, STATE, ROOT = (os.environ[name] for name in ("ISSUER", "STATE", "ROOT"))
DATABASE = f"{STATE}/glewlwyd.db"


def key(number):
    path = f"{STATE}/key{number}.json"
    if not os.path.exists(path):
        made = ECKey.generate_key("P-256", private=True).as_dict(private=True)
        with open(path, "w", encoding="ascii") as file:
            json.dump(made | {"kid": f"key {number}", "alg": "ES256", "use": "sig"}, file)
    with open(path, encoding="ascii") as file:
        return json.load(file)


PLUGIN = {
    "iss": ISSUER,
    "jwks-private": json.dumps({"keys": [key(int(number)) for number in os.environ["KEYS"].split(",")]}),
    "jwks-show": True,
    "jwt-type": "ecdsa",
    "jwt-key-size": "256",
    "access-token-duration": 3600,
    "refresh-token-duration": 1209600,
    "code-duration": 600,
    "refresh-token-rolling": True,
    "allow-non-oidc": True,
    "auth-type-code-enabled": True,
    "auth-type-implicit-enabled": False,
    "auth-type-token-enabled": False,
    "auth-type-password-enabled": False,
    "auth-type-client-enabled": True,
    "auth-type-device-enabled": False,
    "auth-type-refresh-enabled": False,
    "subject-type": "public",
    "resource-allowed": True,
    "resource-scope": {},
    "resource-client-property": "resource",
    "resource-scope-and-client-property": False,
}
LOGOUT_URI = os.environ.get("LOGOUT_URI")
if LOGOUT_URI:
    PLUGIN |= {"session-management-allowed": True, "back-channel-logout-allowed": True, "front-channel-logout-allowed": False, "session-cookie-name": "GLEWLWYD2_OIDC_SID", "session-cookie-expiration": 2419200}

HOLDER = os.environ.get("HOLDER")
if HOLDER:
    PLUGIN |= {"oauth-dpop-allowed": True, "oauth-dpop-iat-duration": 60}
    # As a proxy in front of it hands the certificate on.
    PLUGIN |= {"client-cert-source": "header", "client-cert-header-name": "SSL_CLIENT_CERT", "client-cert-self-signed-allowed": True, "client-cert-use-endpoint-aliases": True, "client-jwks-parameter": "jwks"}

if os.environ.get("INTROSPECTION"):
    PLUGIN |= {"introspection-revocation-allowed": True, "introspection-revocation-auth-scope": [], "introspection-revocation-allow-target-client": True}


def hashed(password):
    salt = b"0123456789abcdef"
    return base64.b64encode(hashlib.pbkdf2_hmac("sha256", password, salt, 1000) + salt).decode()


def add_users(database):
    database.execute("INSERT INTO g_client VALUES (2, 'web', '', '', 1, ?, 1)", [hashed(b"of-the-web")])
    database.execute("INSERT INTO g_client_scope VALUES (2, 'openid')")
    for number, scope in enumerate((1, 2)):
        database.execute("INSERT INTO g_client_scope_client VALUES (?, 2, ?)", [number + 2, scope])
    for name, value in [
        ("redirect_uri", "http://127.0.0.1:9/callback"),
        ("authorization_type", "code"),
        ("token_endpoint_auth_method", "client_secret_basic"),
        ("resource", "https://api.example"),
        ("backchannel_logout_uri", LOGOUT_URI),
    ]:
        database.execute("INSERT INTO g_client_property (gc_id, gcp_name, gcp_value) VALUES (2, ?, ?)", [name, value])
    database.execute("INSERT INTO g_user_scope (gus_name) VALUES ('openid'), ('read')")
    for user in ("alice", "bob"):
        database.execute("INSERT INTO g_user (gu_username) VALUES (?)", [user])
        database.execute("INSERT INTO g_user_password (gu_id, guw_password) SELECT gu_id, ? FROM g_user WHERE gu_username = ?", [hashed(b"of-" + user.encode()), user])
        database.execute("INSERT INTO g_user_scope_user (gu_id, gus_id) SELECT gu_id, gus_id FROM g_user, g_user_scope WHERE gu_username = ? AND gus_name IN ('openid', 'read')", [user])


def add_holder(database):
    database.execute("INSERT INTO g_client VALUES (3, 'holder', '', '', 1, NULL, 1)")
    database.execute("INSERT INTO g_client_scope_client VALUES (9, 3, 1)")
    for name, value in [
        ("authorization_type", "client_credentials"),
        ("token_endpoint_auth_method", "self_signed_tls_client_auth"),
        ("jwks", HOLDER),
        ("resource", "https://api.example"),
    ]:
        database.execute("INSERT INTO g_client_property (gc_id, gcp_name, gcp_value) VALUES (3, ?, ?)", [name, value])


def prepare():
    new = not os.path.exists(DATABASE)
    database = sqlite3.connect(DATABASE)
    if new:
        with gzip.open(f"{ROOT}/usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz", "rt") as file:
            database.executescript(file.read())
        database.execute("INSERT INTO g_client VALUES (1, 'robot', '', '', 1, ?, 1)", [hashed(b"of-the-robot")])
        database.execute("INSERT INTO g_scope (gs_name, gs_password_required) VALUES ('read', 0)")
        database.execute("INSERT INTO g_client_scope VALUES (1, 'read')")
        database.execute("INSERT INTO g_client_scope_client VALUES (1, 1, 1)")
        for name, value in [
            ("authorization_type", "client_credentials"),
            ("token_endpoint_auth_method", "client_secret_basic"),
            ("resource", "https://api.example"),
            ("resource", "https://other.example"),
        ]:
            database.execute("INSERT INTO g_client_property (gc_id, gcp_name, gcp_value) VALUES (1, ?, ?)", [name, value])
        if LOGOUT_URI:
            add_users(database)
        if HOLDER:
            add_holder(database)
    database.execute("DELETE FROM g_plugin_module_instance")
    database.execute(
        "INSERT INTO g_plugin_module_instance (gpmi_module, gpmi_name, gpmi_parameters, gpmi_enabled) VALUES ('oidc', 'oidc', ?, 1)",
        [json.dumps(PLUGIN)],
    )
    database.commit()
    database.close()
    modules = {"user": "user", "user_middleware": "user_middleware", "client": "client", "user_auth_scheme": "scheme", "plugin": "plugin"}
    settings = {
        "bind_address": "127.0.0.1",
        "external_url": ISSUER.removesuffix("/api/oidc"),
        "login_url": "login.html",
        "api_prefix": "api",
        "log_mode": "console",
        "log_level": "INFO",
        "cookie_domain": "127.0.0.1",
        "session_key": "GLEWLWYD2_SESSION_ID",
        "admin_scope": "g_admin",
        "profile_scope": "g_profile",
        "hash_algorithm": "SHA512",
    } | {f"{name}_module_path": f"{STATE if name == 'user_middleware' else ROOT + '/usr/lib/glewlwyd'}/{folder}" for name, folder in modules.items()}
    os.makedirs(f"{STATE}/user_middleware", exist_ok=True)
    with open(f"{STATE}/glewlwyd.conf", "w", encoding="ascii") as file:
        file.write(f"port={os.environ['PORT']}\n")
        file.writelines(f"{name}={json.dumps(value)}\n" for name, value in settings.items())
        file.write(f'database = {{ type = "sqlite3"; path = "{DATABASE}"; }};\n')


prepare()
os.execv(os.environ["PROGRAM"], ["glewlwyd", "--config-file", f"{STATE}/glewlwyd.conf"])
