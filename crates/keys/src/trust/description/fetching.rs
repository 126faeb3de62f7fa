//! How keys are fetched: the flat settings, and the fields of a table.

use service::description::{Default, Kind, Setting};

use super::super::fetch::FetchNames;

/// The settings of fetches by these names.
pub(super) fn fetch(names: &FetchNames) -> Vec<Setting> {
    vec![
        Setting::new(
            names.ca_file,
            Kind::Text("path"),
            "/etc/ssl/internal-ca.pem",
            "Certificates that vouch for key URLs, PEM, beside the system's; read at each fetch",
        ),
        Setting::new(
            names.token_file,
            Kind::Text("path"),
            "/var/run/secrets/kubernetes.io/serviceaccount/token",
            "A file with a bearer token that is shown to key servers; read at each fetch ([more](KEYS.md#how-keys-are-fetched))",
        ),
        Setting::new(
            names.basic_file,
            Kind::Text("path"),
            "/etc/jwt-agent/basic",
            "A file with `user:password` for key servers; read at each fetch. Not beside a bearer token",
        ),
        Setting::new(
            names.headers,
            Kind::List("headers"),
            "X-Api-Key: a,X-Tenant: b",
            "Headers for key servers. Their values stand in the configuration itself: prefer the file",
        )
        .secret(),
        Setting::new(
            names.headers_file,
            Kind::Text("path"),
            "/etc/jwt-agent/headers",
            "A file with a header on each line; `#` begins a comment; read at each fetch",
        ),
        Setting::new(
            names.cert_file,
            Kind::Text("path"),
            "/etc/jwt-agent/client.pem",
            "Client certificate (with its chain) for key servers that ask for one, PEM; read at each fetch",
        ),
        Setting::new(
            names.key_file,
            Kind::Text("path"),
            "/etc/jwt-agent/client.key",
            "The key of that certificate, PEM; read at each fetch",
        ),
        Setting::new(
            names.origins,
            Kind::List("origins"),
            "https://keys.example.com:8443",
            "Further origins, such as that of a `jwks_uri`, that may see these credentials; else only those of the URLs that are configured",
        )
        .without_secrets(),
        Setting::new(
            names.proxy,
            Kind::Text("URL, or `none`"),
            "http://proxy.example:3128",
            "A forward proxy for key URLs, never for token-servers; `none`: none, whatever `HTTPS_PROXY` says",
        )
        .without_secrets()
        .or(Default::unset("as `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say")),
    ]
}
