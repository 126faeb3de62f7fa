//! The processes of one line: a proxy with its shipped configuration, the token-server that it asks, an application.

use std::cell::RefCell;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use integration_tests::backend::Backend;
use integration_tests::http::Client;
use integration_tests::keys::jwks;
use integration_tests::load::Prepared;
use integration_tests::process::Process;
use integration_tests::proxy::Proxy;
use integration_tests::socket::Address;
use integration_tests::token_server::TokenServer;
use integration_tests::wait::{DEADLINE, poll};
use tempfile::TempDir;

use super::line::{Judge, Line};
use crate::sources;
use crate::traffic::{AUDIENCE, ISSUER, signer};

/// The one that is compared.
pub(super) const ALGORITHM: &str = "RS256";

/// A running line; everything but the application ends with it.
pub(super) struct Stand {
    pub(super) address: SocketAddr,
    pub(super) proxy: Process,
    pub(super) token_server: Option<TokenServer>,
    application: Backend,
    _folder: TempDir,
}

impl Stand {
    /// Starts what `line` needs and waits until the first of `requests` gets its answer.
    pub(super) fn start(line: Line, requests: &[Prepared]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = jwks([signer(ALGORITHM)]);
        let token_server = matches!(line.judge, Judge::TokenServer | Judge::NoToken).then(|| {
            let file = folder.path().join("keys.json");
            fs::write(&file, &keys).unwrap();
            start_token_server(folder.path(), &file, line)
        });
        let application = Backend::start_with(&Address::free_port().unwrap(), |_| "ok".to_owned()).unwrap();
        let edge = Address::free_port().unwrap();
        let Address::Tcp(address) = edge else { unreachable!("a TCP address was asked for") };
        let mut places = vec![("8080", &edge), ("8081", application.address())];
        places.extend(token_server.as_ref().map(|server| ("4000", &server.address)));
        let proxy = line.proxy.start(folder.path(), &places, |shipped| changed(line, &shipped, &keys));
        let mut stand = Self { address, proxy, token_server, application, _folder: folder };
        stand.probe(line, &requests[0]);
        stand
    }

    /// Lets the application forget what it saw, so that its memory does not grow from round to round.
    pub(super) fn forget(&self) {
        self.application.forget();
    }

    fn probe(&mut self, line: Line, request: &Prepared) {
        let last = RefCell::new(String::new());
        let answered = poll(DEADLINE, || {
            if self.proxy.exited().is_some() {
                return Some(false);
            }
            let mut client = Client::new(Address::Tcp(self.address).connect(DEADLINE).ok()?);
            client.write(&request.bytes).ok()?;
            let response = client.response().ok()?;
            *last.borrow_mut() = response.to_string();
            (response.status == request.expected).then_some(true)
        });
        let log = self.proxy.log();
        assert_eq!(answered, Some(true), "{line}: not {} but {}\n{log}", request.expected, last.borrow());
    }
}

fn start_token_server(folder: &Path, keys: &Path, line: Line) -> TokenServer {
    let mut own = line.proxy.token_server_settings(folder);
    if line.tokens.is_opaque() {
        own.extend(sources::settings(folder));
    }
    let mut settings = vec![
        ("TOKEN_SERVER__JWKS__FILE", keys.to_str().unwrap()),
        ("TOKEN_SERVER__VERIFY__ISSUERS", ISSUER),
        ("TOKEN_SERVER__VERIFY__AUDIENCES", AUDIENCE),
        ("TOKEN_SERVER__VERIFY__ALLOW_MISSING", if line.judge == Judge::NoToken { "true" } else { "false" }),
    ];
    settings.extend(own.iter().map(|(name, value)| (*name, value.as_str())));
    TokenServer::start_with(folder, "standard", &settings)
}

/// The shipped file of `line`'s proxy, with the question to the token-server left out or replaced where another one decides.
fn changed(line: Line, shipped: &str, keys: &str) -> String {
    let peer = match line.judge {
        Judge::TokenServer | Judge::NoToken => return shipped.to_owned(),
        Judge::Nothing => String::new(),
        Judge::JwtAuthn => jwt_authn("", keys),
        Judge::JwtAuthnCache => {
            jwt_authn("\n                          jwt_cache_config: { jwt_cache_size: 100000 }", keys)
        }
    };
    match line.proxy {
        // Traefik has a second file, in which nothing of this stands.
        Proxy::Traefik | Proxy::TraefikHttp2 => shipped.replace("[drop-spoofed, jwt]", "[drop-spoofed]"),
        Proxy::Nginx => shipped.replace("auth_request /_verify;", ""),
        Proxy::Envoy => {
            let (before, rest) =
                shipped.split_once("                  - name: envoy.filters.http.ext_authz").unwrap();
            let (_, after) = rest.split_once("                  - name: envoy.filters.http.router").unwrap();
            format!("{before}{peer}                  - name: envoy.filters.http.router{after}")
        }
    }
}

/// Envoy's own filter with the same work: signature, issuer, audience, expiry, two claims as headers.
fn jwt_authn(cache: &str, keys: &str) -> String {
    format!(
        r#"                  - name: envoy.filters.http.jwt_authn
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication
                      providers:
                        main:
                          issuer: "{ISSUER}"
                          audiences: ["{AUDIENCE}"]{cache}
                          clock_skew_seconds: 1
                          claim_to_headers:
                            - {{ header_name: x-user-id, claim_name: sub }}
                            - {{ header_name: x-user-email, claim_name: email }}
                          local_jwks: {{ inline_string: '{keys}' }}
                      rules:
                        - match: {{ prefix: "/" }}
                          requires: {{ provider_name: main }}
"#
    )
}
