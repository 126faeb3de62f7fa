//! Tokens that Glewlwyd has bound to their client, through `haproxy-dpop.cfg`: to a certificate (RFC 8705), and to a key by a draft
//! of RFC 9449, whose proofs have no `ath`.

use std::fs;
use std::path::Path;

use integration_tests::edge::Edge;
use integration_tests::haproxy::Shipped;
use integration_tests::http::Request;
use integration_tests::identity::flow::{Form, basic, json, part, token};
use integration_tests::identity::provider::Provider;
use integration_tests::proof::Holder;
use integration_tests::setup::Setup;
use integration_tests::socket::Address;
use integration_tests::tls_client::{TlsClient, curl};
use integration_tests::wait::eventually;
use serde_json::json as value;
use tempfile::TempDir;

use crate::glewlwyd::{GLEWLWYD, RESOURCE};

fn edge(provider: &Provider) -> Edge {
    let edge = Setup::new(Shipped::Dpop)
        .no_key_file()
        .agent_env("JWT_OIDC_ISSUERS", &provider.place.issuer)
        .agent_env("JWT_AUDIENCES", RESOURCE)
        .start();
    eventually("the agent has the keys", || edge.agents[0].is_ready().then_some(()));
    edge
}

fn folder(edge: &Edge) -> &Path {
    let Address::Unix(path) = edge.address() else { panic!("a socket") };
    path.parent().unwrap()
}

/// Glewlwyd with a client that has the certificate of this one.
fn start(holder: &TlsClient) -> Provider {
    Provider::start_with(&GLEWLWYD, vec![("HOLDER", value!({ "keys": [holder.jwk] }).to_string())])
}

const FORM: Form<'_> = &[("grant_type", "client_credentials"), ("scope", "read"), ("resource", RESOURCE)];

#[test]
fn a_token_that_glewlwyd_bound_to_a_certificate_is_good_with_that_one_alone() {
    let clients = TempDir::with_prefix("clients-").unwrap();
    let [anna, bob] = ["anna", "bob"].map(|name| TlsClient::new(clients.path(), name));
    let provider = start(&anna);
    let shown = fs::read_to_string(&anna.cert).unwrap().trim().replace(['\r', '\n'], " ");
    let form = [FORM, &[("client_id", "holder")]].concat();
    let target = provider.place.at("/mtls/token/");
    let answer = json(&provider.place.visitor().post_with(&[("SSL_CLIENT_CERT", &shown)], &target, &form));
    let token = token(&answer, "access_token");
    assert_eq!(part(&token, 1)["cnf"], value!({ "x5t#S256": anna.thumbprint() }));
    let edge = edge(&provider);
    let authorization = format!("Bearer {token}");
    for _ in 0..2 {
        for (client, status) in [(Some(&anna), 200), (Some(&bob), 401), (None, 401)] {
            let answer = curl(folder(&edge), client, &[("Authorization", &authorization)], &[]);
            assert_eq!(answer.status, status, "{client:?}: {}", answer.head);
        }
    }
}

#[test]
fn a_token_that_glewlwyd_bound_to_a_key_needs_a_proof_of_the_standard() {
    let clients = TempDir::with_prefix("clients-").unwrap();
    let provider = start(&TlsClient::new(clients.path(), "anna"));
    let (client, other) = (Holder::new(), Holder::new());
    let target = provider.place.at("/token");
    let mut claims = client.claims("", "POST", &target);
    claims.as_object_mut().unwrap().remove("ath");
    let shown = client.prove(&claims);
    let robot = basic("robot", "of-the-robot");
    let headers = [("Authorization", robot.as_str()), ("DPoP", &shown)];
    let answer = json(&provider.place.visitor().post_with(&headers, &target, FORM));
    assert_eq!(answer["token_type"], "DPoP", "{answer}");
    let token = token(&answer, "access_token");
    assert_eq!(part(&token, 1)["cnf"], value!({ "jkt": client.thumbprint() }));

    let edge = edge(&provider);
    let url = "http://edge.test/api";
    let claims = || client.claims(&token, "GET", url);
    let with = |proof: &str| {
        let request = Request::get("/api").header("Authorization", format!("DPoP {token}"));
        request.header("DPoP", proof)
    };
    edge.admits("a proof of the standard", &with(&client.prove(&claims())));
    let mut draft = claims();
    draft.as_object_mut().unwrap().remove("ath");
    for (what, proof) in
        [("one of the draft", client.prove(&draft)), ("of another key", other.prove(&claims()))]
    {
        edge.refuses(what, 401, &with(&proof));
    }
    let bare = Request::get("/api").bearer(&token).header("DPoP", client.prove(&claims()));
    edge.refuses("as a bearer token", 401, &bare);
}
