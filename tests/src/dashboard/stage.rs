//! Everything that the dashboard has a panel for: two HAProxys with an agent each, of which one keeps verdicts itself and one has
//! streams that end with their token; a token-server with signals, opaque tokens and forward-auth; and a Prometheus.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use super::prometheus::Prometheus;
use super::traffic::Traffic;
use crate::agent::listening;
use crate::edge::Edge;
use crate::haproxy::Shipped;
use crate::key_server::{Answer, KeyServer};
use crate::keys::{SigningKey, key};
use crate::scan::noted;
use crate::setup::Setup;
use crate::socket::Address;
use crate::token_server::TokenServer;
use crate::transmitter::{AUDIENCE, TOKEN, Transmitter};
use crate::wait::eventually;

/// Whose tokens are good.
pub(super) const ISSUER: &str = "https://id.example.com";

/// What clients call the API.
pub(super) const API: &str = "http://edge.test";

/// What agents show the token-server, and senders of signals.
pub(super) const BEARER: &str = "a-bearer-token-of-the-dashboard";

/// The whole, at work.
#[derive(Debug)]
pub struct Stage {
    pub prometheus: Prometheus,
    pub(super) traffic: Traffic,
    /// HAProxy keeps verdicts here.
    pub(super) kept: Edge,
    /// Streams end with their token here.
    pub(super) streams: Edge,
    /// Where identity providers send signals to.
    pub(super) signals: Address,
    /// What opaque tokens are asked about: one that says what it is told to, since the panels are about questions, and real ones
    /// are asked by `tests/interop/providers`.
    pub(super) authorization: KeyServer,
    pub(super) transmitter: Transmitter,
    _folder: TempDir,
}

impl Stage {
    /// Starts all of it, scraped as often as this.
    ///
    /// # Panics
    ///
    /// Something does not come up; with its log.
    pub fn start(every: Duration) -> Self {
        let folder = TempDir::with_prefix("dashboard-").unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::write(path("bearer"), noted(BEARER.to_owned())).unwrap();
        fs::write(path("poll"), noted(TOKEN.to_owned())).unwrap();
        // One key is left out, and one source is down: there is to be something to draw.
        let set = json!({"keys": [key("ES256").jwk(), {"kty": "AKP", "alg": "ML-DSA-65", "kid": "no pub"}]});
        fs::write(path("keys"), set.to_string()).unwrap();
        let down = format!("http://{}/jwks.json", Address::free_port().unwrap());
        let authorization = KeyServer::start(Answer::Close);
        let transmitter = Transmitter::start();
        fs::write(path("settings.toml"), settings(folder.path(), &authorization, &transmitter)).unwrap();
        let kept = Setup::new(Shipped::EdgeDenying)
            .kept_by_agents()
            .keys(set.to_string())
            .agent_env("JWT_ISSUERS", ISSUER)
            .agent_env("JWT_OPAQUE", "introspect")
            .agent_env("JWT_DECISIONS", "sample")
            .agent_env("JWT_JWKS_URL", &down)
            .agent_env("JWT_TOKEN_SERVER_TOKEN_FILE", &path("bearer"))
            .token_server_env("TOKEN_SERVER_CONFIG", &path("settings.toml"))
            .token_server_env("TOKEN_SERVER__AGENT__TOKENS_FILE", &path("bearer"))
            .token_server_env("TOKEN_SERVER__JWKS__FILE", &path("keys"))
            .token_server_env("TOKEN_SERVER__JWKS__URL", &down)
            .token_server_env("TOKEN_SERVER__VERIFY__ISSUERS", ISSUER)
            .token_server_env("TOKEN_SERVER__VERIFY__PROXY", "nginx")
            .token_server_env("TOKEN_SERVER__VERIFY__DPOP_ORIGINS", API)
            .token_server_env("TOKEN_SERVER__SIGNALS__LISTEN", "127.0.0.1:0")
            .start();
        let server = kept.token_server.as_ref().unwrap();
        let streams = Setup::new(Shipped::Streams)
            .ends_streams()
            .agent_env("JWT_ISSUERS", ISSUER)
            .agent_env("JWT_DECISIONS", "sample")
            .agent_env("JWT_TOKEN_SERVER_BACKEND", &server.url())
            .agent_env("JWT_TOKEN_SERVER_TOKEN_FILE", &path("bearer"))
            .start();
        let signals = eventually("the listener of signals", || listening(&server.process.lines(), "signals"));
        let prometheus = Prometheus::start(
            &[
                ("jwt-agent", "agent1", &kept.agents[0].admin),
                ("jwt-agent", "agent2", &streams.agents[0].admin),
                ("token-server", "server1", &server.admin),
            ],
            every,
        );
        let traffic = Traffic::default();
        Self { prometheus, traffic, kept, streams, signals, authorization, transmitter, _folder: folder }
    }

    pub(super) fn server(&self) -> &TokenServer {
        self.kept.token_server.as_ref().unwrap()
    }
}

/// The key that signs tokens.
pub(super) fn signer() -> &'static SigningKey {
    key("ES256")
}

fn settings(folder: &Path, authorization: &KeyServer, transmitter: &Transmitter) -> String {
    let path = |name: &str| folder.join(name).display().to_string();
    let (bearer, keys, poll) = (path("bearer"), path("keys"), path("poll"));
    let (url, origin) = (authorization.url(), &transmitter.origin);
    format!(
        "[[introspection]]\nissuer = '{ISSUER}'\nurl = '{url}'\nauth = 'bearer'\ntoken_file = '{bearer}'\ncache_ttl = 2\n\
         [[ssf]]\nname = 'pushed'\nissuer = '{ISSUER}'\naudiences = ['{AUDIENCE}']\nkeys_file = '{keys}'\n\
         authorization_file = '{bearer}'\n\
         [[ssf]]\nname = 'polled'\nissuer = '{origin}'\naudiences = ['{AUDIENCE}']\npoll_url = '{origin}/ssf/poll'\n\
         subject_issuer = '{ISSUER}'\npoll_interval = 1\npoll_token_file = '{poll}'\n"
    )
}
