//! Introspection of opaque tokens: the settings, and the table `[[introspection]]` for one authorization server.

use service::description::{Default, Group, Kind, Setting, Table};

use super::super::introspection::*;
use super::PATH;

const AUTH: &[&str] = &["basic", "post", "private_key_jwt", "bearer", "mtls"];

pub(super) fn settings() -> Group {
    let mut settings = server(&FLAT);
    let [cache_ttl, negative_ttl, timeout_ms, concurrency, rate, token_types, allow_untyped] = terms(&FLAT);
    settings.extend([
        cache_ttl.or("30"),
        negative_ttl.or("5"),
        Setting::new(CACHE_SIZE, number("answers", *SIZES.start(), *SIZES.end()), "10000", "Answers that are kept, least used go first, and as many that are no `active`; one of more than 2 KiB counts several times")
            .or("100000")
            .restart(),
        timeout_ms.or("2000"),
        concurrency.or("64"),
        rate.or("200"),
        token_types.or("Bearer,DPoP"),
        allow_untyped.or("false"),
    ]);
    Group { title: "opaque tokens", settings }
}

pub(super) fn table() -> Table {
    let mut fields = vec![
        Setting::new("prefix", Kind::Text("text"), "ory_at_", "What its tokens begin with; the longest prefix decides which server is asked. No server but the right one is shown a token")
            .or(Default::unset("all tokens that no other table is for")),
    ];
    fields.extend(server(&TABLE));
    let general = [CACHE_TTL, NEGATIVE_TTL, TIMEOUT_MS, CONCURRENCY, RATE, TOKEN_TYPES, ALLOW_UNTYPED];
    fields.extend(terms(&TABLE).into_iter().zip(general).map(|(field, name)| field.or(Default::As(name))));
    if let Some(issuer) = fields.iter_mut().find(|field| field.name == TABLE.issuer) {
        *issuer = issuer.clone().or(Default::Required);
    }
    Table {
        name: "introspection",
        meaning: "An authorization server that is asked about opaque tokens (RFC 7662). What a table leaves out of the limits is as the settings say"
            .into(),
        fields,
    }
}

fn number(unit: &'static str, least: usize, most: usize) -> Kind {
    let [least, most] = [least, most].map(|limit| u64::try_from(limit).unwrap_or(u64::MAX));
    Kind::Number { unit, least, most }
}

fn server(names: &Names) -> Vec<Setting> {
    let path = |name, example, meaning: &'static str| Setting::new(name, PATH, example, meaning);
    vec![
        Setting::new(names.issuer, Kind::Text("text"), "https://id.example.com", "The authorization server that is asked about opaque tokens ([more](INTROSPECTION.md)): `iss` of its tokens. An answer without `iss` gets it, one with another is refused")
            .without_secrets()
            .or(Default::unset("opaque tokens are refused")),
        Setting::new(names.url, Kind::Text("URL"), "https://id.example.com/introspect", "Its introspection endpoint")
            .without_secrets()
            .or(Default::unset("`introspection_endpoint` of its metadata (RFC 8414)")),
        Setting::new(names.auth, Kind::Word(AUTH), "post", "How it is told who asks: by the client's ID and secret in `Authorization` or in the form, by an assertion that its key signs, by a bearer token, by a certificate")
            .or("basic"),
        Setting::new(names.client_id, Kind::Text("text"), "edge", "The client's ID, for all but `bearer`"),
        path(names.client_secret_file, "/etc/token-server/introspection.secret", "A file with its secret, for `basic` and `post`; read again at each call"),
        path(names.token_file, "/etc/token-server/introspection.token", "A file with the token, for `bearer`; read again at each call"),
        path(names.cert_file, "/etc/token-server/introspection.pem", "The certificate, PEM, for `mtls`; read again at each call"),
        path(names.key_file, "/etc/token-server/introspection.key", "Its key, PEM; or the key that signs assertions, PEM or a JWK, for `private_key_jwt`; read again at each call"),
        Setting::new(names.key_id, Kind::Text("text"), "edge-2026", "`kid` of the assertions")
            .or(Default::unset("`kid` of the key's JWK, if it is one")),
        Setting::new(names.signed, Kind::Switch, "true", "Whether only signed answers are accepted (RFC 9701), by keys of `jwks_uri` of the issuer's metadata")
            .or("false"),
        path(names.ca_file, "/etc/token-server/idp-ca.pem", "Certificates that vouch for its URLs, beside the system's, PEM"),
        Setting::new(names.origins, Kind::List("origins"), "https://introspect.example.com", "Further origins that may see tokens and credentials, where its metadata lead to another than its own"),
        Setting::new(names.proxy, Kind::Text("URL or none"), "http://proxy.example.com:3128", "The forward proxy")
            .secret()
            .or(Default::unset("as `HTTPS_PROXY` and the like say")),
    ]
}

fn terms(names: &Names) -> [Setting; 7] {
    let [cache_ttl, negative_ttl, timeout_ms, concurrency, rate, token_types, allow_untyped] = names.terms();
    let seconds = |range: std::ops::RangeInclusive<u64>| {
        let (least, most) = range.into_inner();
        Kind::Number { unit: "seconds", least, most }
    };
    let (fastest, slowest) = TIMEOUTS.into_inner();
    [
        Setting::new(
            cache_ttl,
            seconds(CACHE_TTLS),
            "10",
            "How long an answer that says `active` is used, by agents too, and never beyond `exp`; 0: it is asked each time. Rules, logouts and signals end a token at once all the same",
        ),
        Setting::new(
            negative_ttl,
            seconds(NEGATIVE_TTLS),
            "1",
            "The same for other answers; no answer is never kept",
        ),
        Setting::new(
            timeout_ms,
            Kind::Number { unit: "milliseconds", least: fastest, most: slowest },
            "1000",
            "How long one call may take. It goes on when the request is gone, and its answer is kept for the next",
        ),
        Setting::new(
            concurrency,
            number("calls", *PLACES.start(), *PLACES.end()),
            "16",
            "Calls at a time; what would be more is refused (`overloaded`). Tokens that were active before have as many places of their own",
        ),
        Setting::new(
            rate,
            Kind::Number { unit: "calls", least: (*RATES.start()).into(), most: (*RATES.end()).into() },
            "50",
            "Calls in a second; the same holds",
        ),
        Setting::new(
            token_types,
            Kind::List("texts"),
            "Bearer",
            "The accepted `token_type`, in any letter case",
        ),
        Setting::new(
            allow_untyped,
            Kind::Switch,
            "true",
            "Whether an answer without `token_type` is accepted. Refresh tokens come so too, and would open doors",
        ),
    ]
}
