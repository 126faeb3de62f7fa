//! The token that an AWS load balancer writes into `x-amzn-oidc-data`, through HAProxy and an agent, whose keys are fetched by
//! `kid` from a real server.

use std::collections::BTreeMap;

use integration_tests::documents::{Document, Documents};
use integration_tests::haproxy::Shipped;
use integration_tests::http::{Request, Response};
use integration_tests::keys::SigningKey;
use integration_tests::setup::Setup;
use integration_tests::token::{forge_signature, now, sign_padded, sign_raw};
use serde_json::json;

const HEADER: &str = "x-amzn-oidc-data";
const ARN: &str = "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/shop/50dc6c495c0c9188";
const OLD: &str = "2e8b4b1c-7f55-4d0e-9c9d-0f6a4a3d1b27";
const NEW: &str = "7a8b4b1c-7f55-4d0e-9c9d-0f6a4a3d1b27";

fn header(kid: &str, signer: &str) -> String {
    json!({"typ": "JWT", "kid": kid, "alg": "ES256", "iss": "https://id.example", "client": "c", "signer": signer})
        .to_string()
}

fn payload() -> String {
    json!({"sub": "alice", "iss": "https://id.example", "exp": now() + 120}).to_string()
}

fn detail(response: &Response) -> &str {
    response.header("www-authenticate").and_then(|text| text.split('"').rev().nth(1)).unwrap_or_default()
}

#[test]
fn a_load_balancers_token_passes_and_no_other_does() {
    let (old, new) = (SigningKey::generate("ES256", OLD), SigningKey::generate("ES256", NEW));
    let server = Documents::listen();
    let place = server.moved("https://keys.example");
    let page =
        |key: &SigningKey| (format!("{place}/{}", key.kid), Document { body: key.pem(), bearer: None });
    let pages = BTreeMap::from([page(&old), page(&new)]);
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("jwt-agent.toml");
    let table = format!(
        "[[issuers]]\nissuer = \"https://id.example\"\nkeys_url = \"{place}/{{kid}}\"\nalb_signers = [\"{ARN}\"]\n"
    );
    std::fs::write(&file, table).unwrap();
    server.serve(pages);
    let setup = Setup::new(Shipped::Header).no_key_file().haproxy_env("TOKEN_HEADER", HEADER);
    let edge = setup.agent_env("JWT_CONFIG", &file.display().to_string()).start();
    edge.agents.iter().for_each(integration_tests::agent::Agent::wait_ready);

    let request = |token: &str| Request::get("/").header(HEADER, token);
    let good = sign_padded(&old, &header(OLD, ARN), &payload());
    let seen = edge.admits("a good token", &request(&good));
    assert!(seen.header("x-tkn-body").unwrap().contains("alice"), "{seen:?}");
    edge.admits("the next key", &request(&sign_padded(&new, &header(NEW, ARN), &payload())));

    let absent = "00000000-7f55-4d0e-9c9d-0f6a4a3d1b27";
    for (what, token, expected) in [
        (
            "another load balancer",
            sign_padded(&old, &header(OLD, &ARN.replace(":1:", ":2:")), &payload()),
            "issuer",
        ),
        ("forged", forge_signature(&good), "signature"),
        ("the key of another kid", sign_padded(&new, &header(OLD, ARN), &payload()), "signature"),
        ("a kid without a key", sign_padded(&old, &header(absent, ARN), &payload()), "unknown_key"),
        ("a path", sign_padded(&old, &header(&format!("../{OLD}"), ARN), &payload()), "unknown_key"),
        ("no padding", sign_raw(&old, &header(OLD, ARN), &payload()), "malformed"),
        ("padding taken away", good.trim_end_matches('=').to_owned(), "malformed"),
        ("more padding", format!("{good}="), "malformed"),
    ] {
        let refused = edge.refuses(what, 401, &request(&token));
        assert_eq!(detail(&refused), expected, "{what}: {refused}");
    }
    edge.admits("the good token again", &request(&good));
}
