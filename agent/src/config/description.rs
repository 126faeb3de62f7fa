//! What the settings of the agent are: `jwt-agent settings`, the reference and the rest are made of this.

use keys::trust::{Preset, description as trust};
use service::description::{Default, Group, Kind, LookUp, Program, Setting};

use super::names::{OPAQUE_TIMEOUT_MS, PREFIX, TRUST};
use super::ranges::{
    CACHE_TTL, EDGE_SIZE, EDGE_TTL, STREAMS_GRACE, STREAMS_SIZE, TIMEOUT_MS, TOKEN_BYTES, usual_token_bytes,
};
use super::{dpop, mcp};

/// What SIGHUP says to what token-servers were told once.
const TOLD: &str = "restart where token-servers are asked";

/// All settings of the agent.
pub fn description() -> Program {
    Program {
        name: "jwt-agent",
        about: "A SPOE agent for HAProxy that verifies the JSON Web Token of each request.",
        prefix: PREFIX,
        config: TRUST.config,
        groups: vec![
            trust::whom_told(&TRUST),
            trust::challenges(&TRUST),
            trust::keys(&TRUST),
            trust::fetching(&TRUST),
            tokens(),
            dpop::group(),
            answers(),
            listeners(),
            token_servers(),
            kept(),
            edge(),
            streams(),
        ],
        tables: [trust::tables(&TRUST), vec![mcp::table()]].concat(),
    }
}

fn tokens() -> Group {
    let settings = vec![
        Setting::new(
            "JWT_PROFILE",
            Kind::Word(Preset::NAMES),
            "at+jwt",
            "`standard`: `exp` is required. `at+jwt`: access tokens by RFC 9068 alone: `typ` is `at+jwt`, and `iss`, `exp`, `aud`, `sub`, `client_id`, `iat`, `jti` are there; issuers and audiences must be set. `ms-users`: scheme `JWT`, `exp` optional, `iss` and `aud` not validated, stateless and legacy tokens told apart",
        )
        .or("standard")
        .restart(),
        Setting::new(
            "JWT_SCHEMES",
            Kind::List("schemes"),
            "Bearer",
            "Accepted `Authorization` schemes, in any letter case",
        )
        .or(Default::Derived { told: "`JWT,Bearer,DPoP`, without `DPoP` where no token may be bound to a key alone; in `ms-users` `JWT`", of: schemes }),
        Setting::new(
            "JWT_CLIENT_CERT",
            Kind::Word(&["tls", "rfc9440"]),
            "rfc9440",
            "What the argument `cert` holds. `tls`: the SHA-256 of the certificate that the client showed to HAProxy. `rfc9440`: the header `Client-Cert` of another server that ends TLS before HAProxy, and replaces what a client writes there ([more](BINDING.md#tls-ends-before-haproxy))",
        )
        .or("tls"),
        Setting::new(
            "JWT_MAX_TOKEN_BYTES",
            Kind::Number { unit: "bytes", least: wide(*TOKEN_BYTES.start()), most: wide(*TOKEN_BYTES.end()) },
            "16384",
            "Longer tokens are refused (`token_size`). For ML-DSA-87, whose signature alone has 6,170 characters, and claims above 1.4 KB: 16384, and `tune.bufsize 32768` in HAProxy ([sizes](../haproxy/README.md#sizes))",
        )
        .or(Default::Derived { told: "`8192`; in `ms-users` `16384`", of: token_bytes }),
        Setting::new(
            "JWT_TIMEOUT_MS",
            Kind::Number { unit: "milliseconds", least: *TIMEOUT_MS.start(), most: *TIMEOUT_MS.end() },
            "60",
            "The budget of one verification; keep it below HAProxy's `timeout processing`",
        )
        .or("80")
        .restart_if(TOLD),
        Setting::new(
            OPAQUE_TIMEOUT_MS,
            Kind::Number { unit: "milliseconds", least: *TIMEOUT_MS.start(), most: *TIMEOUT_MS.end() },
            "500",
            "The same for opaque tokens alone, about which a token-server may have to ask others; keep it below HAProxy's `timeout processing`, too",
        )
        .or(Default::As("JWT_TIMEOUT_MS")),
        Setting::new(
            "JWT_LOG_REFUSALS",
            Kind::Word(&["off", "sample", "all"]),
            "all",
            "Refusals in the log at info: none, 10 a second with the number of those left out, or all ([more](OPERATING.md#refusals-in-the-log))",
        )
        .or("sample"),
    ];
    Group { title: "which tokens", settings }
}

fn token_bytes(look_up: LookUp<'_>) -> Option<String> {
    let preset: Preset = look_up("JWT_PROFILE").and_then(|name| name.parse().ok()).unwrap_or_default();
    Some(usual_token_bytes(preset.profile).to_string())
}

fn schemes(look_up: LookUp<'_>) -> Option<String> {
    let is_old = look_up("JWT_PROFILE").as_deref() == Some("ms-users");
    let takes_no_proofs = matches!(look_up("JWT_BINDING").as_deref(), Some("mtls" | "ignore"));
    Some(
        if is_old {
            "JWT"
        } else if takes_no_proofs {
            "JWT,Bearer"
        } else {
            "JWT,Bearer,DPoP"
        }
        .to_owned(),
    )
}

fn answers() -> Group {
    let settings = vec![
        Setting::new(
            "JWT_CLAIMS",
            Kind::List("claims or paths"),
            "sub,realm_access.roles",
            "Claims that become variables `txn.tkn.payload.*`; paths reach inside",
        )
        .or(Default::unset("all at the top level")),
        Setting::new(
            "JWT_VARIABLES",
            Kind::List("names"),
            "body,payload.sub",
            "Variables that are sent; `payload` is every claim, `valid` and `reason` are sent always. Each costs HAProxy time. `auto`: those that the file of `--haproxy-cfg` names",
        )
        .or("all"),
    ];
    Group { title: "what HAProxy is told", settings }
}

fn listeners() -> Group {
    let settings = vec![
        Setting::new(
            "JWT_AGENT_LISTEN",
            Kind::List("host:port or unix@/path"),
            "unix@/run/haproxy-jwt/agent1.sock",
            "Where HAProxy connects",
        )
        .or("127.0.0.1:12345")
        .restart(),
        Setting::new(
            "JWT_ADMIN_LISTEN",
            Kind::Text("address:port"),
            "127.0.0.1:9461",
            "`/health`, `/ready`, `/metrics`, `/v1/keys`",
        )
        .or("127.0.0.1:9464")
        .restart(),
    ];
    Group { title: "listeners", settings }
}

fn token_servers() -> Group {
    let settings = vec![
        Setting::new(
            "JWT_TOKEN_SERVER_BACKEND",
            Kind::List("URLs, or the name of a HAProxy backend"),
            "http://127.0.0.1:4000",
            "Token-servers, http or https. A name is resolved every second, and each of its addresses (IPv4, if it has any) is a server until ten answers in a row leave it out",
        )
        .without_secrets()
        .or(Default::unset("none is asked: signature and policy only")),
        Setting::new(
            "JWT_HAPROXY_SOCKET",
            Kind::Text("/path, unix@/path or host:port"),
            "/run/haproxy/admin.sock",
            "HAProxy's stats socket, which tells every second which servers of that backend are up (not in maintenance, not draining) and where. It needs no more than `level operator`",
        ),
        Setting::new(
            "JWT_TOKEN_SERVER_TOKEN_FILE",
            Kind::Text("path"),
            "/etc/jwt-agent/token",
            "A file with the bearer token that is shown to token-servers; read again when it changes",
        ),
        Setting::new(
            "JWT_TOKEN_SERVER_CA_FILE",
            Kind::Text("path"),
            "/etc/jwt-agent/ca.pem",
            "Certificates for `https://` token-servers, PEM, instead of the system's; read again when they change",
        ),
        Setting::new(
            "JWT_TOKEN_SERVER_CERT_FILE",
            Kind::Text("path"),
            "/etc/jwt-agent/agent.pem",
            "Client certificate (with its chain), PEM, for token-servers that ask for one (`TOKEN_SERVER__TLS__CLIENT_CA`); read again when it changes",
        ),
        Setting::new(
            "JWT_TOKEN_SERVER_KEY_FILE",
            Kind::Text("path"),
            "/etc/jwt-agent/agent.key",
            "The key of that certificate, PEM; read again when it changes",
        ),
        Setting::new(
            "JWT_DECISIONS",
            Kind::Word(&["off", "sample", "full"]),
            "sample",
            "Decisions of which token-servers are told once a second, for people who look at them there ([more](OPERATING.md#decisions-as-they-come)): none; refusals, at most 50 a second, and one accepted request a second; or the same with the subjects of tokens. No verdict depends on it",
        )
        .or("off"),
    ];
    Group { title: "token-servers", settings: settings.into_iter().map(Setting::restart).collect() }
}

fn kept() -> Group {
    let seconds = Kind::Number { unit: "seconds", least: *CACHE_TTL.start(), most: *CACHE_TTL.end() };
    let settings = vec![
        Setting::new(
            "JWT_CACHE_SIZE",
            Kind::Number { unit: "verdicts", least: 0, most: u64::MAX },
            "50000",
            "Verdicts that are kept, least used go first; 0 = none. A hit skips the signature; the token's time is validated, and its revocation checked, each time",
        )
        .or("100000"),
        Setting::new(
            "JWT_CACHE_BYTES",
            Kind::Number { unit: "bytes", least: 0, most: u64::MAX },
            "134217728",
            "Memory for them; 0 = none is kept",
        )
        .or("268435456"),
        Setting::new(
            "JWT_CACHE_TTL",
            seconds.clone(),
            "5",
            "How long a token-server's answer may be used again whatever happens; 0: each request is asked about. It is also how long a server's last word holds, so that below 2 the next setting has no full effect",
        )
        .or("2")
        .restart(),
        Setting::new(
            "JWT_CACHE_TTL_MAX",
            seconds,
            "600",
            "The same while the server says that it tells the agent every change ([more](REVOCATION.md)); not below `JWT_CACHE_TTL`",
        )
        .or(Default::Derived { told: "`300`, or `JWT_CACHE_TTL` where that is more", of: most_kept })
        .restart(),
    ];
    Group { title: "what is kept", settings }
}

fn edge() -> Group {
    let settings = vec![
        Setting::new(
            "JWT_EDGE_SOCKETS",
            Kind::List("paths"),
            "/run/haproxy/admin.sock",
            "Stats sockets, of level admin and on the same host, of HAProxys that the agent tells what to do: to end [open streams](REVOCATION.md) with their token; and, with the next two settings, to keep the verdicts of frequent tokens themselves, for which `JWT_VARIABLES` has to be a list of names, or `auto`",
        ),
        Setting::new(
            "JWT_EDGE_MAP",
            Kind::Text("name of a map"),
            "/etc/haproxy/verdicts.map",
            "The map of verdicts, spelled as haproxy.cfg has it",
        ),
        Setting::new(
            "JWT_EDGE_LEASES",
            Kind::Text("name of a map"),
            "/etc/haproxy/leases.map",
            "The map that says how long they count, spelled as haproxy.cfg has it",
        ),
        Setting::new(
            "JWT_EDGE_SIZE",
            Kind::Number { unit: "verdicts", least: wide(*EDGE_SIZE.start()), most: wide(*EDGE_SIZE.end()) },
            "5000",
            "Verdicts that each HAProxy is given; each takes about 500 bytes of its memory",
        )
        .or("10000"),
        Setting::new(
            "JWT_EDGE_TTL",
            Kind::Number { unit: "seconds", least: *EDGE_TTL.start(), most: *EDGE_TTL.end() },
            "30",
            "After this time HAProxy asks about a token again",
        )
        .or("60"),
    ];
    Group { title: "verdicts in HAProxy", settings: settings.into_iter().map(Setting::restart).collect() }
}

fn streams() -> Group {
    let settings = vec![
        Setting::new(
            "JWT_STREAMS_SIZE",
            Kind::Number { unit: "streams", least: wide(*STREAMS_SIZE.start()), most: wide(*STREAMS_SIZE.end()) },
            "50000",
            "Open streams that end with their token: those of which HAProxy tells in the message `stream`, where `JWT_EDGE_SOCKETS` is set. Each takes as much memory as its token and the answer to it. More are let in, and stay until HAProxy's own timeouts; 0: all of them",
        )
        .or("10000"),
        Setting::new(
            "JWT_STREAMS_GRACE",
            Kind::Number { unit: "seconds", least: *STREAMS_GRACE.start(), most: *STREAMS_GRACE.end() },
            "60",
            "A stream ends after this time in which it could not be told whether its token is still good, since no token-server answers or no keys are there; and when the agent is stopped",
        )
        .or(Default::unset("it stays")),
    ];
    Group { title: "open streams", settings: settings.into_iter().map(Setting::restart).collect() }
}

fn most_kept(look_up: LookUp<'_>) -> Option<String> {
    let least: u64 = look_up("JWT_CACHE_TTL")?.parse().ok()?;
    Some(least.max(300).to_string())
}

/// A limit of the code as the description has it.
pub(super) fn wide(limit: usize) -> u64 {
    u64::try_from(limit).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
