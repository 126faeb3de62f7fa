//! RFC 7009 by clients that others wrote: after their call HAProxy refuses the token, and the same user's other one passes.

use std::process::Command;

use aws_lc_rs::digest::{SHA256, digest};
use integration_tests::agent::listening;
use integration_tests::edge::Edge;
use integration_tests::http::{Client, Request, Response};
use integration_tests::interop::{node, output, python};
use integration_tests::keys::{jwks, key};
use integration_tests::setup::Setup;
use integration_tests::socket::Address;
use integration_tests::stores::Redis;
use integration_tests::token::token;
use integration_tests::token_server::TokenServer;
use integration_tests::wait::{DEADLINE, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;

const ISSUER: &str = "https://idp.example.com";

/// A name and a secret of which RFC 6749 section 2.3.1 has much to encode.
const SHOP: (&str, &str) = ("https://client.example:8443/shop", "p+q %&=/:r");

/// With what such a client can send that encodes nothing.
const WIKI: (&str, &str) = ("wiki", "p+q%&=/:r");

const MAIL: (&str, &str) = ("mail", "other");

/// A token-server that knows these clients, and an edge that asks it.
struct World {
    server: TokenServer,
    edge: Edge,
    revocation: Address,
    _folder: TempDir,
}

impl World {
    fn start(settings: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("keys.json"), jwks([key("ES256")])).unwrap();
        let line = |(id, secret): (&str, &str)| {
            let hash = digest(&SHA256, secret.as_bytes());
            let hex: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{id}:{hex}\n")
        };
        std::fs::write(path("clients"), [SHOP, WIKI, MAIL].map(line).concat()).unwrap();
        let (keys, clients) = (path("keys.json"), path("clients"));
        let own = [
            ("TOKEN_SERVER__SIGNALS__LISTEN", "127.0.0.1:0"),
            ("TOKEN_SERVER__REVOKE__CLIENTS_FILE", &*clients),
            ("TOKEN_SERVER__JWKS__FILE", &keys),
            ("TOKEN_SERVER__VERIFY__ISSUERS", ISSUER),
        ];
        let server = TokenServer::start_with(folder.path(), "standard", &[&own, settings].concat());
        let revocation =
            eventually("the listener of signals", || listening(&server.process.lines(), "signals"));
        let edge = Setup::denying().agent_env("JWT_TOKEN_SERVER_BACKEND", &server.url()).start();
        Self { server, edge, revocation, _folder: folder }
    }

    /// The arguments that the programs of `tests/interop` take.
    fn arguments(&self, (id, secret): (&str, &str), method: &str, token: &str) -> [String; 6] {
        let endpoint = format!("http://{}/revoke", self.revocation);
        [&endpoint, ISSUER, id, secret, method, token].map(str::to_owned)
    }

    fn post(&self, form: &str) -> Response {
        let request = Request::line("POST /revoke HTTP/1.1")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Content-Length", form.len().to_string());
        let mut client = Client::new(self.revocation.connect(DEADLINE).unwrap());
        client.write(&[&request.to_bytes(), form.as_bytes()].concat()).unwrap();
        client.response().unwrap()
    }
}

fn issued_to(client: &str, jti: &str) -> String {
    token(key("ES256"), json!({ "iss": ISSUER, "sub": "anna", "client_id": client, "jti": jti }))
}

fn of(token: &str) -> Request {
    Request::get("/").bearer(token)
}

/// What a client of others does is what RFC 7009 says.
fn is_understood(world: &World, name: &str, client: (&str, &str), program: fn() -> Command, challenge: &str) {
    let asks = |client, method: &str, token: &str| -> Value {
        let mut program = program();
        program.args(world.arguments(client, method, token));
        output(program)
    };
    let refused = |status: u16, error: &str| json!({ "revoked": false, "status": status, "error": error });
    for method in ["basic", "post"] {
        let what = format!("{name}, {method}");
        let [revoked, kept] = ["one", "two"].map(|jti| issued_to(client.0, &format!("{what} {jti}")));
        for token in [&revoked, &kept] {
            world.edge.comes_to(&format!("{what}: before"), 200, &of(token));
        }
        let wrong = (client.0, "another secret");
        let error = if method == "basic" { challenge } else { "invalid_client" };
        assert_eq!(asks(wrong, method, &revoked), refused(401, error), "{what}");
        assert_eq!(asks(MAIL, method, &revoked), refused(400, "invalid_grant"), "{what}");
        world.edge.admits(&format!("{what}: refusals revoke nothing"), &of(&revoked));

        assert_eq!(asks(client, method, &revoked), json!({ "revoked": true }), "{what}");
        world.edge.comes_to(&format!("{what}: revoked"), 401, &of(&revoked));
        world.edge.comes_to(&format!("{what}: the user's other token"), 200, &of(&kept));

        assert_eq!(asks(client, method, &revoked), json!({ "revoked": true }), "{what}: again");
        assert_eq!(asks(client, method, "8xLOxBtZp8"), refused(400, "unsupported_token_type"), "{what}");
    }
}

#[test]
fn a_token_that_openid_client_from_npm_revokes_is_refused_at_haproxy() {
    let program = || node("revoke_openid_client.mjs");
    // What it makes of `WWW-Authenticate: Basic`.
    let challenge = "OAUTH_WWW_AUTHENTICATE_CHALLENGE";
    is_understood(&World::start(&[]), "openid-client", SHOP, program, challenge);
}

#[test]
fn a_token_that_requests_oauth2client_from_pypi_revokes_is_refused_at_haproxy() {
    let program = || python("revoke_requests_oauth2client.py");
    is_understood(&World::start(&[]), "requests-oauth2client", WIKI, program, "invalid_client");
}

#[test]
fn while_the_store_is_down_no_token_is_answered_as_if_it_were_revoked() {
    let mut redis = Redis::start(&["--appendonly", "yes"]);
    let world = World::start(&[("TOKEN_SERVER__REDIS__URLS", redis.url())]);
    let token = issued_to(WIKI.0, "one");
    let form = format!("token={token}&client_id=wiki&client_secret=p%2Bq%25%26%3D%2F%3Ar");
    redis.kill();
    for _ in 0..2 {
        let answered = world.post(&form);
        assert_eq!((answered.status, answered.body.len()), (503, 0), "{answered}");
        let after = answered.header("retry-after").and_then(|after| after.parse::<u64>().ok());
        assert!(after.is_some_and(|after| after > 0), "{answered}");
    }
    redis.start_again();
    eventually("the token is revoked once the store is back", || {
        (world.post(&form).status == 200).then_some(())
    });
    world.edge.comes_to("revoked", 401, &of(&token));
    let log = world.server.process.log();
    for secret in [token.as_str(), WIKI.1] {
        assert!(!log.contains(secret), "a secret stands in the log");
    }
}
