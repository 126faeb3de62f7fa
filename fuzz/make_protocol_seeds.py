"""Makes the seeds of the targets that need no cryptography but one HMAC: frames, connections, rules, settings,
questions of proxies.

    python3 fuzz/make_protocol_seeds.py
"""

import base64
import hashlib
import hmac
import json
from pathlib import Path

ROOT = Path(__file__).resolve().parent
RULE_TABLE = ROOT / "../crates/rules/tests/data/groups.json"
# The secret and the token of agent/tests/corpus/properties: not for anything else.
SECRET = b"the secret of the fuzz targets, 32 bytes and more"
FIN = (1).to_bytes(4, "big")
HELLO, DISCONNECT, NOTIFY = 1, 2, 3
# The first byte of a connection's input: what its peer does first, and how it cuts its bytes.
RAW, GREETED = 0, 1


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(claims, secret=SECRET):
    message = b64(b'{"alg":"HS256","kid":"fuzz"}') + "." + b64(json.dumps(claims, separators=(",", ":")).encode())
    return message + "." + b64(hmac.new(secret, message.encode(), hashlib.sha256).digest())


GOOD = sign({"sub": "alice", "exp": 32503680000})
FORGED = sign({"sub": "alice", "exp": 32503680000}, b"another secret")
EXPIRED = sign({"sub": "alice", "exp": 1})


def varint(value):
    if value < 240:
        return bytes([value])
    out = [value & 255 | 240]
    value = (value - 240) >> 4
    while value >= 128:
        out.append(value & 127 | 128)
        value = (value - 128) >> 7
    return bytes(out + [value])


def string(text):
    data = text if isinstance(text, bytes) else text.encode()
    return varint(len(data)) + data


def typed(value):
    if value is None:
        return b"\x00"
    if isinstance(value, bool):
        return b"\x11" if value else b"\x01"
    if isinstance(value, int):
        return b"\x04" + varint(value)
    if isinstance(value, tuple):
        return bytes(value)
    return (b"\x09" if isinstance(value, bytes) else b"\x08") + string(value)


def items(**members):
    return b"".join(string(name.replace("_", "-")) + typed(value) for name, value in members.items())


def message(name, **arguments):
    return string(name) + bytes([len(arguments)]) + b"".join(string(k) + typed(v) for k, v in arguments.items())


def frame(kind, payload, stream=0, number=0, flags=FIN):
    body = bytes([kind]) + flags + varint(stream) + varint(number) + payload
    return len(body).to_bytes(4, "big") + body


def hello(**changes):
    members = {"supported_versions": "2.0", "max_frame_size": 16380, "capabilities": "pipelining,async"} | changes
    return frame(HELLO, items(**{name: value for name, value in members.items() if value is not None}))


def notify(stream, number=1, **arguments):
    return frame(NOTIFY, message("verify-jwt", **arguments), stream, number)


def ask(stream, token, number=1):
    return notify(stream, number, authorization=f"Bearer {token}", auth_count=1)


BYE = frame(DISCONNECT, items(status_code=0, message="normal"))
SIZES = ((3,) + tuple(varint(256)), (3,) + tuple(varint(1 << 31)))

frames = {
    "hello": hello(),
    "hello_health_check": hello(healthcheck=True, engine_id="1"),
    "hello_two_versions": hello(supported_versions="1.0, 2.0 ,3.1"),
    "hello_no_version": hello(supported_versions=None),
    "hello_no_size": hello(max_frame_size=None),
    "hello_no_capabilities": hello(capabilities=None),
    "hello_small": hello(max_frame_size=SIZES[0]),
    "hello_huge": hello(max_frame_size=SIZES[1]),
    "hello_wrong_types": hello(supported_versions=2, max_frame_size="x", capabilities=True),
    "hello_twice_an_item": frame(HELLO, items(capabilities="") + items(capabilities="async")),
    "disconnect": BYE,
    "disconnect_bare": frame(DISCONNECT, b""),
    "notify": ask(7, GOOD),
    "notify_empty": frame(NOTIFY, b""),
    "notify_two_messages": frame(NOTIFY, message("other", a=None) + message("verify-jwt", token="a.b.c")),
    "notify_every_type": notify(
        1, a=None, b=True, c=(2, 5), d=(3, 5), e=5, f=(5, 5), g=(6, 127, 0, 0, 1), h=(7,) + (0,) * 16, i="x", j=b"\xff"
    ),
    "notify_not_utf8": frame(NOTIFY, string("verify-jwt") + b"\x01" + string("token") + b"\x08" + string(b"\xff.\xfe.")),
    "notify_large_ids": ask((1 << 63) + 1, "a.b.c", 1 << 33),
    "notify_cut": ask(1, GOOD)[:-9],
    "notify_count_too_high": frame(NOTIFY, string("verify-jwt") + b"\x09"),
    "two": hello() + ask(1, GOOD),
    "no_fin": frame(NOTIFY, b"", flags=bytes(4)),
    "abort": frame(NOTIFY, b"", flags=(3).to_bytes(4, "big")),
    "unset": frame(0, b""),
    "ack": frame(103, b"\x01\x03\x02" + string("valid") + b"\x11"),
    "endless_varint": frame(NOTIFY, b"\xff" * 12),
    "zero": bytes(4),
    "too_long": (1 << 20).to_bytes(4, "big"),
}
connections = {
    "good": bytes([GREETED]) + ask(1, GOOD, 2) + ask(3, GOOD, 1),
    "mixed": bytes([GREETED | 6 << 4]) + b"".join(ask(i, t, i % 3) for i, t in enumerate((GOOD, FORGED, EXPIRED, "", GOOD))),
    "slow": bytes([GREETED | 1 << 4]) + ask(1, GOOD),
    "many": bytes([GREETED]) + b"".join(ask(stream, "a.b.c", stream) for stream in range(80)),
    "small_frames": bytes([GREETED | 1 << 1]) + notify(1, token="a.b.c") + notify(2, token="a.b.c"),
    "own_hello": bytes([RAW]) + hello() + ask(1, GOOD) + BYE,
    "health_check": bytes([RAW]) + hello(healthcheck=True) + ask(1, GOOD),
    "not_ready": bytes([RAW | 8]) + hello(healthcheck=True),
    "notify_first": bytes([RAW]) + ask(1, GOOD) + hello(),
    "hello_twice": bytes([GREETED]) + hello() + ask(1, GOOD),
    "after_bye": bytes([GREETED]) + ask(1, GOOD) + BYE + ask(2, GOOD),
    "ambiguous": bytes([GREETED]) + notify(1, authorization=f"Bearer {GOOD}", token="a.b.c"),
    "two_headers": bytes([GREETED]) + notify(1, authorization=f"Bearer {GOOD}", auth_count=2),
    "two_cookies": bytes([GREETED]) + notify(1, token=GOOD, token_count=2),
    "less_than_none": bytes([GREETED]) + notify(1, token=GOOD, token_count=(4,) + tuple(varint((1 << 64) - 1))),
    "two_questions": bytes([GREETED]) + frame(NOTIFY, message("verify-jwt", token=GOOD) * 2, 1, 1),
    "an_argument_twice": bytes([GREETED])
    + frame(NOTIFY, string("verify-jwt") + b"\x02" + (string("token") + typed(GOOD)) * 2, 1, 1),
    "bare": bytes([GREETED]) + notify(1, token=GOOD) + notify(1, token=GOOD),
    "other_policy": bytes([GREETED]) + notify(1, token=GOOD, policy="admin"),
    "binary": bytes([GREETED]) + notify(1, token=GOOD.encode()),
    "http": bytes([RAW]) + b"GET / HTTP/1.1\r\n\r\n",
    "cut": bytes([GREETED]) + ask(1, GOOD) + ask(2, GOOD)[:-30],
}
table = json.loads(RULE_TABLE.read_text())
PAYLOAD = '{"rt":"x","cs":"y","iat":5,"org":{"id":7,"roles":["user","admin"]},"a.b":1,"a":{"b":2},"u":"\\ud83d\\ude00"}'
rules = {
    "of_the_table": "\n".join([PAYLOAD] + sorted({row["rule"] for row in table})[:60]),
    "of_the_table_too": "\n".join([PAYLOAD] + sorted({row["rule"] for row in table})[60:120]),
    "usual": PAYLOAD + '\n{"rt":"x","iat":{"lt":5}}\n{"cs":"y","_or":true,"iat":{"gte":5,"lte":6}}',
    "equalities": PAYLOAD + "".join(f'\n{{"rt":"{name}"}}' for name in "abcdefghijklmnopqrstuvwxyz"),
    "patterns": PAYLOAD
    + "".join(f'\n{{"u":{{"regex":"{p}"}}}}' for p in ("^.$", "(a+)+$", "(?=x)", "[^]", "\\\\ud83d", "(.)\\\\1", "\\\\bx{2,}?", "(?<n>a)\\\\k<n>")),
    "paths": PAYLOAD + '\n{"org.roles[1]":"admin"}\n{"a.b":2}\n{"a":{"b":2}}\n{"toString":{"ne":1}}\n{"org":{"id":{"sw":"7"}}}',
    "numbers": '{"a":1e308}\n{"a":1e400}\n{"a":-0}\n{"a":{"gt":9007199254740993}}\n{"a":{"lt":"1"}}',
    "everything": "{}\n{}\n{\"_or\":true}\n{\"a\":{}}",
    "deep": "{}\n" + '{"a":' * 9 + "1" + "}" * 9,
    "no_rule": "{}\n[]\nnull\n{\"a\":[1]}\n{\"a\":{\"zz\":1}}\n{\"a\":{\"regex\":\"(\"}}",
    "backtracking": '{"a":"' + "a" * 900 + '!"}\n{"a":{"regex":"(?=(a+)+$)x"}}\n{"a":{"regex":"(a|aa)*\\\\1$"}}',
}
settings = {
    "nothing": "",
    "keys": "JWT_JWKS_FILE=/k\nJWT_ISSUERS=a\nJWT_AUDIENCES=b,c\nJWT_LEEWAY=5\nJWT_ALGORITHMS=RS256,Ed25519",
    "urls": "JWT_JWKS_URL=https://user:$@id.example/keys?token=$\nJWT_OIDC_ISSUERS=https://id.example",
    "bad_urls": "JWT_JWKS_URL=ftp://user:$@id.example\nJWT_OIDC_ISSUERS=user:$@id\nJWT_TOKEN_SERVER_BACKEND=http://u:$@a/x?$",
    "bad_values": "".join(
        f"{name}=$\n"
        for name in "JWT_PROFILE JWT_LEEWAY JWT_CACHE_SIZE JWT_CACHE_BYTES JWT_TIMEOUT_MS JWT_ADMIN_LISTEN JWT_AGENT_LISTEN"
        " JWT_ALGORITHMS JWT_MAX_TOKEN_BYTES JWT_SYNC_INTERVAL JWT_ALLOW_SHORT_SECRETS JWT_HAPROXY_SOCKET".split()
    ),
    "typo": "JWT_JWKS_FILE=/k\nJWT_TOKEN_SERVER_BACKED=http://a:4000\nJWT_SECRET=$",
    "kubernetes": "JWT_JWKS_FILE=/k\nJWT_AGENT_PORT=tcp://10.0.0.1:1\nJWT_AGENT_SERVICE_HOST=$\nJWT_AGENT_PORT=12345",
    "ms_users": "JWT_PROFILE=ms-users\nJWT_TOKEN_SERVER_BACKEND=http://a:4000,http://b:4000\nJWT_CACHE_TTL=2",
    "listen": "JWT_JWKS_FILE=/k\nJWT_AGENT_LISTEN=unix@/a,127.0.0.1:1,[::1]:2\nJWT_VARIABLES=body,payload.sub\nJWT_CLAIMS=a.b",
    "tables": '\n---\nJWT_AUDIENCES = ["api"]\n[[issuers]]\nissuer = "fuzz"\nkeys_file = "/k"\nleeway = 7\n[[policies]]\n'
    'name = "admin"\nissuers = ["fuzz"]\nall_scopes = ["read"]\nclaims = { "a.b" = ["x", 7], c = true }\nmax_lifetime = 5\n',
    "table_faults": '\n---\n[[issuers]]\nissuer = ["a"]\nkeys_url = 7\n[[issuers]]\n[[policies]]\nname = "default"\n[[polices]]\n',
    "broken_file": "\n---\nJWT_JWKS_FILE = $\nJWT_SECRET = \"$\n",
    "numbers": "\n---\nJWT_LEEWAY = -1\nJWT_CACHE_SIZE = 1e400\nJWT_CACHE_BYTES = 99999999999999999999\nJWT_TIMEOUT_MS = 007\n",
    "nested": '\n---\n[jwt.jwks]\nfile = "$"\n[jwt.jwks.file]\nx = 1\n',
    "haproxy_cfg": "JWT_LEEWAY=1\n---\n---\nglobal\n setenv JWT_JWKS_FILE \"/k\\ $\"\n presetenv JWT_ISSUERS '$'\n setenv JWT_VARIABLES auto\n"
    "frontend f\n http-request set-header x %[var(txn.tkn.payload.sub)]\n",
    "haproxy_cfg_broken": "---\n---\n setenv JWT_JWKS_URL \"https://u:$@a\n",
}
server_settings = {
    "nothing": "",
    "embedded": "TOKEN_SERVER__STORE__PATH=/rules.redb\nTOKEN_SERVER__ADMIN__SOCKET=/a.sock\nTOKEN_SERVER__LISTEN=[::]:1",
    "redis": "TOKEN_SERVER__REDIS__MODE=sentinel\nTOKEN_SERVER__REDIS__URLS=redis://u:$@a:1,rediss://:$@b:2/3\n"
    "TOKEN_SERVER__REDIS__MASTER=m\nTOKEN_SERVER__REDIS__PREFIX={x}\nTOKEN_SERVER__CONSUL__URL=http://u:$@c:8500/?token=$",
    "cluster": "TOKEN_SERVER__REDIS__MODE=cluster\nTOKEN_SERVER__REDIS__URLS=redis://a:1\nTOKEN_SERVER__REDIS__MIN_REPLICAS=2",
    "bad_urls": "TOKEN_SERVER__REDIS__URLS=redis:$,http://u:$@a\nTOKEN_SERVER__CONSUL__URL=ftp://u:$@c\nTOKEN_SERVER__JWKS__URL=u:$@d",
    "bad_values": "".join(
        f"TOKEN_SERVER__{name}=$\n"
        for name in "PROFILE LISTEN ADMIN__LISTEN CACHE__TTL CACHE__BYTES STORE__MAX_STALE PREVIEW__SUBJECTS COMPAT__ENABLED"
        " REDIS__MODE REDIS__MIN_REPLICAS VERIFY__PROXY VERIFY__LEEWAY VERIFY__MAX_TOKEN_BYTES VERIFY__HEADERS".split()
    ),
    "verify": "TOKEN_SERVER__JWKS__URL=https://u:$@id/keys\nTOKEN_SERVER__VERIFY__PROXY=nginx\nTOKEN_SERVER__VERIFY__COOKIE=session\n"
    "TOKEN_SERVER__VERIFY__QUERY=t\nTOKEN_SERVER__VERIFY__HEADERS=X-User-Id=sub,X-Role=a.b[0]\nTOKEN_SERVER__VERIFY__REALM=r",
    "verify_faults": "TOKEN_SERVER__JWKS__OIDC_ISSUERS=https://id\nTOKEN_SERVER__VERIFY__HEADERS=Host=sub,X-A=b,x-a=c\n"
    'TOKEN_SERVER__VERIFY__REALM=a"b\nTOKEN_SERVER__VERIFY__COOKIE=a b\nTOKEN_SERVER__VERIFY__QUERY=a&b',
    "typo": "TOKEN_SERVER__REDIS__URL=redis://u:$@a\nTOKEN_SERVER__TLS__CERTS=/c\nTOKEN_SERVER_LISTEN=a:1",
    "file": '\n---\n[token_server.redis]\nurls = "redis://a:1"\n[[issuers]]\nissuer = "a"\nkeys_url = "https://a/k"\n'
    '[[policies]]\nname = "admin"\nissuers = ["a"]\ncookie = "s"\nheaders = { X-A = "b" }\n',
    "flat_file": '\n---\nTOKEN_SERVER__LISTEN = "a:1"\nTOKEN_SERVER__CACHE__TTL = 7\nTOKEN_SERVER__COMPAT__ENABLED = false\n',
    "broken_file": "\n---\nTOKEN_SERVER__LISTEN = \n[[policies\n",
}
NO_PROXY, TRAEFIK, NGINX, ENVOY, MAY_MISS, PREFLIGHTS = 3, 0, 1, 2, 4, 8


def asked(behaviour, line, *headers):
    return bytes([behaviour]) + "\n".join((line,) + headers).encode()


BEARER = "Authorization: Bearer a.b.c"
forwarded = {
    "header": asked(NO_PROXY, "GET /verify", BEARER),
    "traefik_query": asked(TRAEFIK, "GET /verify", "X-Forwarded-Method: GET", "X-Forwarded-Uri: /a?x=1&t=a.b.c"),
    "nginx_query": asked(NGINX, "GET /verify", "X-Original-Method: PUT", "X-Original-URL: https://h/a?t=a.b.c"),
    "envoy_query": asked(ENVOY, "POST /verify/default/a?t=a.b.c", "x-envoy-internal: true"),
    "cookie": asked(TRAEFIK, "GET /verify", 'Cookie: a=b; session="a.b.c"; c', "Cookie: d=e"),
    "preflight": asked(NGINX | PREFLIGHTS, "GET /verify", "X-Original-Method: OPTIONS", "Origin: https://a", "Access-Control-Request-Method: PUT"),
    "missing": asked(ENVOY | MAY_MISS, "GET /verify", "Authorization:", "Cookie: session="),
    "two_tokens": asked(ENVOY, "GET /verify/a?t=x.y.z", BEARER),
    "told_twice": asked(TRAEFIK, "GET /verify", BEARER, "X-Forwarded-Uri: /", "X-Forwarded-Uri: /?t=a.b.c"),
    "another_proxys_words": asked(TRAEFIK, "GET /verify?t=a.b.c", "X-Original-URL: /?t=a.b.c", "X-Original-Method: OPTIONS"),
    "all_three": asked(NGINX, "GET /verify", BEARER, "Cookie: session=a.b.c", "X-Original-URL: /?t=a.b.c&tt=&u"),
    "nginx_origin": asked(NGINX, "GET /verify", "X-Original-URL: /a?t=a.b.c"),
    "nginx_host_hides": asked(NGINX, "GET /verify", BEARER, "X-Original-URL: http://h?t=a.b.c#/a?t=x.y.z"),
    "encoded_name": asked(ENVOY, "GET /verify/a?%74=a.b.c"),
    "name_of_php": asked(TRAEFIK, "GET /verify", BEARER, "X-Forwarded-Uri: /?t[]=a.b.c"),
    "semicolon": asked(TRAEFIK, "GET /verify", "X-Forwarded-Uri: /?a;t=x.y.z&t=a.b.c"),
    "fragment": asked(TRAEFIK, "GET /verify", "X-Forwarded-Uri: /?t=a.b.c#t=x.y.z"),
    "other_scheme": asked(NO_PROXY | MAY_MISS, "GET /verify", "Authorization: Basic dTpw", "Cookie: session=a.b.c"),
}


def write(target, seeds):
    folder = ROOT / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in seeds.items():
        (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)


write("spop_frame", {name: bytes([1]) + data for name, data in frames.items()})
write("spop_connection", connections)
write("rules", rules)
write("agent_settings", settings)
write("server_settings", server_settings)
write("forwarded", forwarded)
print(GOOD)
