"""Glewlwyd (Debian) with its plugin for OpenID Connect: prepares the database and becomes the daemon, PROGRAM below ROOT."""

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


def prepare():
    new = not os.path.exists(DATABASE)
    database = sqlite3.connect(DATABASE)
    if new:
        with gzip.open(f"{ROOT}/usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz", "rt") as file:
            database.executescript(file.read())
        salt = b"0123456789abcdef"
        password = base64.b64encode(hashlib.pbkdf2_hmac("sha256", b"of-the-robot", salt, 1000) + salt).decode()
        database.execute("INSERT INTO g_client VALUES (1, 'robot', '', '', 1, ?, 1)", [password])
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
