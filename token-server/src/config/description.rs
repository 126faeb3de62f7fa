//! What the settings of the server are: `token-server settings`, the reference and the rest are made of this.

use ::keys::trust::{Preset, description as trust};
use service::description::{Default, Group, Kind, Program, Setting, Table};

use super::api_keys as api_keys_names;
use super::introspection as introspection_names;
use super::keys;
use super::names::*;
use crate::tls::{CERT as TLS_CERT, CLIENT_CA as TLS_CLIENT_CA, KEY as TLS_KEY};

mod api_keys;
mod dpop;
mod introspection;
mod signals;
mod ssf;
mod verify;

const PATH: Kind = Kind::Text("path");
const PLACE: Kind = Kind::Text("host:port");

/// All settings of the server.
pub fn description() -> Program {
    let tables = trust::tables(&keys::TRUST).into_iter().chain([
        verify::table(),
        introspection::table(),
        signals::table(),
        ssf::table(),
    ]);
    Program {
        name: "token-server",
        about: "Revocation rules, encrypted tokens, and forward-auth for Traefik, nginx and Envoy.",
        prefix: PREFIX,
        config: CONFIG,
        groups: vec![
            listeners(),
            access(),
            embedded(),
            redis(),
            rules(),
            audit(),
            tokens(),
            api_keys::settings(),
            whom(),
            trust::challenges(&keys::TRUST),
            trust::keys(&keys::TRUST),
            trust::fetching(&keys::TRUST),
            verify::settings(),
            dpop::settings(),
            introspection::settings(),
            signals::settings(),
        ],
        tables: tables.collect::<Vec<Table>>(),
    }
}

/// Settings that only a restart can change.
fn lasting(title: &'static str, settings: Vec<Setting>) -> Group {
    Group { title, settings: settings.into_iter().map(Setting::restart).collect() }
}

fn listeners() -> Group {
    lasting(
        "listeners",
        vec![
            Setting::new(
                LISTEN,
                PLACE,
                "0.0.0.0:4000",
                "`/v1/check`, `/v1/events`, `/verify`, `POST /`, health. The images listen on `0.0.0.0:4000`",
            )
            .or("127.0.0.1:4000"),
            Setting::new(
                ADMIN_LISTEN,
                PLACE,
                "127.0.0.1:4002",
                "The rules API (with bearer tokens), metrics, health",
            )
            .or(ADMIN_LISTEN_FALLBACK),
            Setting::new(
                ADMIN_SOCKET,
                PATH,
                "/run/token-server/admin.sock",
                "A unix socket for the rules API, mode 0600, without bearer tokens",
            ),
            Setting::new(
                ADMIN_UI,
                Kind::Switch,
                "true",
                "`/ui/` on the admin listener and socket: a page for operators, in a browser ([more](PAGE.md)); `token-server ui` opens it over the socket",
            )
            .or("false"),
            Setting::new(
                TLS_CERT,
                PATH,
                "/etc/token-server/server.pem",
                "Certificate (with its chain) of the TCP listeners, PEM; set: they speak TLS alone. Read again when it changes, for new connections",
            ),
            Setting::new(
                TLS_KEY,
                PATH,
                "/etc/token-server/server.key",
                "The key of that certificate, PEM; read again when it changes",
            ),
            Setting::new(
                TLS_CLIENT_CA,
                PATH,
                "/etc/token-server/clients.pem",
                "Authorities of client certificates, PEM; set: every client needs one, agents by `JWT_TOKEN_SERVER_CERT_FILE`. Read again when they change",
            ),
        ],
    )
}

fn access() -> Group {
    lasting("who may ask", vec![
        Setting::new(ADMIN_TOKENS_FILE, PATH, "/etc/token-server/admin-tokens", "A file with `name role token` on each line, for the rules API; the roles are `read`, `revoke` and `admin` ([more](OPERATING.md#names-and-roles)). A bearer token alone is an administrator's. Read again when it changes")
            .or(Default::unset("no rules API over TCP")),
        Setting::new(AGENT_TOKENS_FILE, PATH, "/etc/token-server/agent-tokens", "A file with a bearer token on each line, without names and roles, for `/v1/check`, `/v1/events` and `POST /`; read again when it changes")
            .or(Default::unset("every client, which is a warning at the start")),
        Setting::new(COMPAT_ENABLED, Kind::Switch, "true", "`POST /`, with one of the agents' bearer tokens where there are any; a proxy's request (`X-Forwarded-*`, `X-Original-*`, `X-Envoy-*`, `Forwarded`) gets 403")
            .or(Default::Derived { told: "`false`; in `ms-users` `true`", of: answers_old_callers }),
        Setting::new(COMPAT_OPEN, Kind::Switch, "true", "`POST /` without a bearer token, though agents show one: for the old Lua script, which sends none. Any client that reaches the listener may then open encrypted tokens and ask about any subject: a warning at the start")
            .or("false"),
    ])
}

fn answers_old_callers(look_up: service::description::LookUp<'_>) -> Option<String> {
    Some((look_up(PROFILE).as_deref() == Some("ms-users")).to_string())
}

fn embedded() -> Group {
    lasting(
        "rules in a file of its own",
        vec![
            Setting::new(
                STORE_PATH,
                PATH,
                "/var/lib/token-server/rules.redb",
                "The file of the embedded store, which is used where no Redis is configured",
            )
            .or("token-server.redb"),
            Setting::new(
                STORE_NEW,
                Kind::Switch,
                "true",
                "`true` for one start: begin without rules though the file has vanished or is empty",
            )
            .or("false"),
        ],
    )
}

fn redis() -> Group {
    lasting(
        "rules in Redis",
        vec![
            Setting::new(
                REDIS_URLS,
                Kind::List("URLs"),
                "redis://127.0.0.1:6379",
                "`redis://` or `rediss://`: the servers, the sentinels, or some nodes of the cluster",
            )
            .without_secrets(),
            Setting::new(
                REDIS_MODE,
                Kind::Word(&["standalone", "sentinel", "cluster"]),
                "cluster",
                "What stands behind these addresses",
            )
            .or("standalone"),
            Setting::new(REDIS_MASTER, Kind::Text("text"), "mymaster", "Sentinel's name of the master"),
            Setting::new(
                REDIS_PREFIX,
                Kind::Text("text"),
                "{users}",
                "What keys begin with; in a cluster it needs a hash tag",
            )
            .or("{ms-users}"),
            Setting::new(
                REDIS_MIN_REPLICAS,
                Kind::Number { unit: "replicas", least: 0, most: 65_535 },
                "1",
                "Replicas that must have a write before it is acknowledged (WAIT)",
            )
            .or("0"),
            Setting::new(
                REDIS_ACCEPT_EVICTION,
                Kind::Switch,
                "true",
                "`true`: ready though Redis may remove rules when its memory is full",
            )
            .or("false"),
            Setting::new(
                REDIS_CA_FILE,
                PATH,
                "/etc/token-server/redis-ca.pem",
                "Certificates for `rediss://`, PEM, instead of the system's; read again when they change, for new connections",
            ),
            Setting::new(
                CONSUL_URL,
                Kind::Text("URL"),
                "http://127.0.0.1:8500",
                "Where ms-users announces its changes",
            )
            .without_secrets(),
        ],
    )
}

fn rules() -> Group {
    let seconds = || Kind::Number { unit: "seconds", least: 0, most: u32::MAX.into() };
    lasting("how rules are kept", vec![
        Setting::new(CACHE_TTL, seconds(), "3", "How long rules that were read from Redis hold while no source announces changes; 0 = they are read at each check").or("7"),
        Setting::new(CACHE_BYTES, Kind::Number { unit: "bytes", least: 0, most: u64::MAX }, "1073741824", "Memory for groups of rules, least used go first; `g`, for everybody, is always kept. A group that is not in memory is read for the check that needs it").or("268435456"),
        Setting::new(MAX_STALE, seconds(), "60", "How long known rules may be used while Redis cannot be read; 0 = not at all").or("30"),
        Setting::new(PREVIEW_SUBJECTS, Kind::Number { unit: "subjects", least: 0, most: 100_000 }, "10000", "How many subjects' last claims are remembered, in memory, to preview rules; 0 = none").or("1000"),
    ])
}

/// As agents have it, but for opaque tokens, which this server itself may know.
fn whom() -> Group {
    let mut group = trust::whom(&keys::TRUST);
    for setting in &mut group.settings {
        if setting.name == keys::TRUST.opaque {
            setting.example = "refuse".into();
            *setting = setting.clone().or(Default::Derived {
                told: "`introspect` where this server knows such tokens, by API keys or introspection, in the profile `standard`; else `refuse`",
                of: takes_opaque,
            });
        }
    }
    group
}

fn takes_opaque(look_up: service::description::LookUp<'_>) -> Option<String> {
    let is_standard = look_up(PROFILE).is_none_or(|profile| profile == "standard");
    let knows = is_standard
        && [api_keys_names::FILE, introspection_names::FLAT.issuer, introspection_names::FLAT.url]
            .iter()
            .any(|name| look_up(name).is_some());
    Some(if knows { "introspect" } else { "refuse" }.to_owned())
}

fn audit() -> Group {
    lasting("who changed rules", vec![
        Setting::new(AUDIT_KEEP, Kind::Text("days"), "90d", "How long an entry of the audit trail is kept, `1d` to `36500d`; older ones are removed, once a minute").or("400d"),
        Setting::new(AUDIT_MAX, Kind::Number { unit: "entries", least: 1, most: MAX_AUDIT_MAX }, "100000", "How many entries are kept; where there are more the oldest are removed, once a minute. One takes about 400 bytes").or("1000000"),
    ])
}

fn tokens() -> Group {
    lasting("which tokens", vec![
        Setting::new(PROFILE, Kind::Word(Preset::NAMES), "ms-users", "It must be the agents', where `at+jwt` counts as `standard`: it is for the tokens of `/verify` alone. It decides the subject claim (`sub`, or `username` in `ms-users`)").or("standard"),
        Setting::new(JWE_KEYS_FILE, PATH, "/etc/token-server/jwe.json", "Private or secret JWKs, a list or a set. `\"default\": true` marks the one for tokens that name no known key; a secret that is the only key is that without the mark (`\"default\": false`: not). Read again when it changes, and what agents keep of encrypted tokens is forgotten then")
            .or(Default::unset("encrypted tokens are refused")),
    ])
}

#[cfg(test)]
mod tests;
