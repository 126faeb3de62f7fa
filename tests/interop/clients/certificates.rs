//! A token that `oidc-provider` has bound to the certificate of its client (RFC 8705 section 3).

use std::process::Command;

use integration_tests::identity::flow::part;
use integration_tests::scan::noted;
use integration_tests::tls_client::{Answer, TlsClient, answer};
use serde_json::Value;

use crate::bound::{Place, RESOURCE};
use crate::peers::haproxies;

/// curl, perhaps with a certificate.
fn curl(place: &Place, client: Option<&TlsClient>) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--include", "--cacert"]).arg(&place.authorities);
    if let Some(client) = client {
        client.show(&mut curl);
    }
    curl
}

fn fetch(place: &Place, client: Option<&TlsClient>) -> Answer {
    let mut curl = curl(place, client);
    curl.args([
        "--http1.1",
        "--user",
        "by-certificate:of%20the%20client",
        "--data",
        "grant_type=client_credentials",
    ]);
    curl.args(["--data", "scope=read", "--data-urlencode", &format!("resource={RESOURCE}")]);
    answer(curl.arg(format!("{}/token", place.issuer)))
}

fn show(place: &Place, client: Option<&TlsClient>, scheme: &str, token: &str) -> Answer {
    answer(
        curl(place, client).args(["--header", &format!("Authorization: {scheme} {token}")]).arg(&place.url),
    )
}

#[test]
fn a_token_of_oidc_provider_is_good_with_the_certificate_that_fetched_it_and_with_no_other() {
    for haproxy in haproxies() {
        let place = Place::start(haproxy, &[]);
        let [anna, bob] = ["anna", "bob"].map(|name| TlsClient::new(place.folder.path(), name));
        assert_eq!(fetch(&place, None).status, 400, "oidc-provider wants a certificate\n{}", place.log());
        let fetched = fetch(&place, Some(&anna));
        assert_eq!(fetched.status, 200, "{}\n{}", fetched.head, place.log());
        let body: Value = serde_json::from_str(fetched.head.lines().last().unwrap()).unwrap();
        let token = noted(body["access_token"].as_str().unwrap().to_owned());
        assert_eq!(part(&token, 1)["cnf"]["x5t#S256"], anna.thumbprint());
        // Twice: the second verdict is a kept one.
        for _ in 0..2 {
            for (client, scheme, status) in [
                (Some(&anna), "Bearer", 200),
                (Some(&bob), "Bearer", 401),
                (None, "Bearer", 401),
                (Some(&anna), "DPoP", 401),
            ] {
                let shown = show(&place, client, scheme, &token);
                assert_eq!(shown.status, status, "{client:?} {scheme}: {}\n{}", shown.head, place.log());
                let is_told = shown.header("www-authenticate").contains("error=\"invalid_token\"");
                assert!(status == 200 || scheme == "DPoP" || is_told, "{}", shown.head);
            }
        }
        assert_eq!(place.edge.backend.seen().len(), 2);
        assert!(place.edge.backend.seen().iter().all(|seen| seen.header("x-tkn-binding") == Some("mtls")));
    }
}
