//! Applications of several kinds behind the shipped files of HAProxy: however one reads a target or folds the name of a
//! header, nothing protected is reached without a token, and no application takes a client for the user that it claims to be.

pub(crate) mod readings;
pub(crate) mod requests;
mod verdicts;

use std::fs;

use integration_tests::applications::{Applications, Mirror, Mirrored};
use integration_tests::edge::Edge;
use integration_tests::haproxy::Shipped;
use integration_tests::http::Client;
use integration_tests::setup::Setup;
use integration_tests::wait::DEADLINE;
use readings::{assert_all_read, assert_open, assert_user, normalised};
use requests::{FORGED, bearer, forged_users, get, requests};
use serde_json::json;
use tempfile::NamedTempFile;
use verdicts::{assert_verdict, forged};

/// Sends bytes, and waits until they are answered or refused.
fn send(edge: &Edge, bytes: &str) {
    let _closed_as_well = edge.exchange(bytes.as_bytes());
}

/// What comes through of a table of requests.
fn through<'a>(
    edge: &Edge,
    mirror: &Mirror,
    requests: impl IntoIterator<Item = &'a String>,
) -> Vec<Mirrored> {
    requests.into_iter().for_each(|request| send(edge, request));
    mirror.take()
}

#[test]
fn applications_differ_in_what_they_take_for_the_path_and_for_our_header() {
    let applications = Applications::start();
    let mirror = applications.mirror();
    let ask = |bytes: &str| {
        let mut client = Client::new(mirror.address().connect(DEADLINE).unwrap());
        client.write(bytes.as_bytes()).unwrap();
        client.response().unwrap();
        mirror.take().remove(0).readings
    };
    // Without HAProxy before them: what the other tests find nothing of is there to be found.
    for (name, folding) in [
        ("X-Tkn-Valid", &Applications::NAMES[..]),
        ("X_Tkn_Valid", &["nginx", "php-fastcgi", "php"]),
        ("X.Tkn.Valid", &["php-fastcgi", "php"]),
    ] {
        let readings = ask(&get("/", &format!("{name}: {FORGED}\r\n")));
        for application in folding {
            let names = ["x-tkn-valid", "http_x_tkn_valid"];
            let found = readings[application]
                .headers
                .iter()
                .any(|(name, _)| names.contains(&name.to_ascii_lowercase().as_str()));
            assert!(found, "{name} to {application}: {readings:#?}");
        }
    }
    for (what, bytes, application) in [
        ("dots", get("/public/../admin", ""), "nginx"),
        ("encoded dots", get("/public/%2e%2e/admin", ""), "node"),
        ("encoded dots", get("/public/%2e%2e/admin", ""), "wsgi"),
        ("a host that goes on", "GET /public HTTP/1.1\r\nHost: x/admin?\r\n\r\n".to_owned(), "node"),
        ("no host", "GET /public/admin HTTP/1.1\r\nHost:\r\n\r\n".to_owned(), "node"),
        ("an absolute form", get("http://x/admin", ""), "express"),
    ] {
        let readings = ask(&bytes);
        let led_off = readings[application].paths.iter().any(|path| normalised(path) == "/admin");
        assert!(led_off, "{what}: {readings:#?}");
    }
}

#[test]
fn no_application_takes_a_public_path_for_another_or_a_forged_header_for_ours() {
    let applications = Applications::start();
    let mirror = applications.mirror();
    let edge = Setup::denying().server("APP_SERVER", mirror.address()).start();

    let requests = requests("/public", &format!("X-Tkn-Valid: {FORGED}\r\n"));
    let passed = through(&edge, &mirror, &requests);
    assert!((10..requests.len()).contains(&passed.len()), "{}: {passed:#?}", passed.len());
    assert_open("without a token", &passed, &["/public"], "/public");
    assert_verdict("without a token", &passed, None);

    let forged_public = forged("/public/x", "");
    let passed = through(&edge, &mirror, &forged_public);
    assert_eq!(passed.len(), forged_public.len());
    assert_verdict("forged", &passed, None);
    assert!(through(&edge, &mirror, &forged("/admin", "")).is_empty(), "forged, and not public");

    let with_token = forged("/admin", &bearer(json!({})));
    let passed = through(&edge, &mirror, &with_token);
    assert_eq!(passed.len(), with_token.len());
    assert_verdict("forged, with a token", &passed, Some("1"));
    assert_all_read("a token", &through(&edge, &mirror, &[get("/admin", &bearer(json!({})))]));
}

#[test]
fn no_application_takes_a_path_of_one_policy_for_a_path_of_another() {
    let applications = Applications::start();
    let mirror = applications.mirror();
    let policies = NamedTempFile::new().unwrap();
    fs::write(policies.path(), "[[policies]]\nname = \"admin\"\nall_scopes = [\"write\"]\n").unwrap();
    let edge = Setup::new(Shipped::Routes)
        .agent_env("JWT_CONFIG", &policies.path().display().to_string())
        .server("APP_SERVER", mirror.address())
        .start();

    for path in ["/api/users", "/api/orders"] {
        let plain = requests(path, "");
        assert!(through(&edge, &mirror, &plain).is_empty(), "without a token");
        let plain = requests(path, &bearer(json!({})));
        let passed = through(&edge, &mirror, &plain);
        assert!((10..plain.len()).contains(&passed.len()), "{}: {passed:#?}", passed.len());
        assert_open("with a token that is no admin's", &passed, &["/api/users", "/api/orders"], "/");
        assert_verdict("with a token that is no admin's", &passed, Some("1"));
    }
    let with_token = forged("/api/users", &bearer(json!({})));
    let passed = through(&edge, &mirror, &with_token);
    assert_eq!(passed.len(), with_token.len());
    assert_verdict("forged, with a token", &passed, Some("1"));
    let admin = through(&edge, &mirror, &[get("/admin", &bearer(json!({"scope": "write"})))]);
    assert_all_read("an admin's token", &admin);
}

#[test]
fn no_application_of_the_protected_backend_sees_a_request_without_a_token() {
    let applications = Applications::start();
    let (api, web) = (applications.mirror(), applications.mirror());
    let edge = Setup::new(Shipped::Backend)
        .server("APP_SERVER", api.address())
        .server("WEB_SERVER", web.address())
        .start();

    for path in ["/api", "/public"] {
        let passed = through(&edge, &api, requests(path, &format!("X-Tkn-Valid: {FORGED}\r\n")).iter());
        assert!(passed.is_empty(), "without a token: {passed:#?}");
    }
    assert_verdict("another backend", &web.take(), None);
    let forged_web = forged("/", "");
    let passed = through(&edge, &web, &forged_web);
    assert_eq!(passed.len(), forged_web.len());
    assert_verdict("forged, to another backend", &passed, None);

    let with_token = forged("/api/x", &bearer(json!({})));
    let passed = through(&edge, &api, &with_token);
    assert_eq!(passed.len(), with_token.len());
    assert_verdict("forged, with a token", &passed, Some("1"));
    assert_all_read("a token", &through(&edge, &api, &[get("/api/x", &bearer(json!({})))]));
}

#[test]
fn no_application_takes_a_forged_header_for_a_verdict() {
    let applications = Applications::start();
    let mirror = applications.mirror();
    let edge = Setup::annotating().server("APP_SERVER", mirror.address()).start();

    let requests = requests("/", &format!("X-Tkn-Valid: {FORGED}\r\n"));
    let passed = through(&edge, &mirror, &requests);
    assert!(passed.len() >= 10, "{passed:#?}");
    assert_verdict("odd targets", &passed, Some("0"));
    let forged = forged("/", "");
    let passed = through(&edge, &mirror, &forged);
    assert_eq!(passed.len(), forged.len());
    assert_verdict("forged", &passed, Some("0"));
    assert_all_read("no token", &through(&edge, &mirror, &[get("/", "")]));
}

#[test]
fn no_application_behind_a_recipe_sees_a_request_without_a_token_or_a_forged_header() {
    let applications = Applications::start();
    let mirror = applications.mirror();
    for shipped in [Shipped::Browsers, Shipped::Cookie, Shipped::Query, Shipped::ClaimHeaders] {
        let edge = Setup::new(shipped).server("APP_SERVER", mirror.address()).start();
        let what = format!("{shipped:?}");
        let without = requests("/public", &format!("X-Tkn-Valid: {FORGED}\r\n"));
        let passed = through(&edge, &mirror, &without);
        assert!(passed.is_empty(), "{what}: {passed:#?}");
        let bearer = bearer(json!({}));
        let with_token = forged("/x", &bearer);
        let passed = through(&edge, &mirror, &with_token);
        assert_eq!(passed.len(), with_token.len(), "{what}");
        assert_verdict(&what, &passed, Some("1"));
        assert_all_read(&what, &through(&edge, &mirror, &[get("/x", &bearer)]));
        if shipped == Shipped::ClaimHeaders {
            let passed = through(&edge, &mirror, &forged_users("/x", &bearer));
            assert!(passed.len() > 20, "{what}: {}", passed.len());
            assert_user(&what, &passed, "alice");
        }
    }
    let edge = Setup::new(Shipped::Optional).server("APP_SERVER", mirror.address()).start();
    let guests = requests("/public", &format!("X-Tkn-Valid: {FORGED}\r\n"));
    let passed = through(&edge, &mirror, &guests);
    assert!(passed.len() >= 10, "{passed:#?}");
    assert_verdict("guests", &passed, None);
    let forged_guests = forged("/x", "");
    let passed = through(&edge, &mirror, &forged_guests);
    assert_eq!(passed.len(), forged_guests.len());
    assert_verdict("forged guests", &passed, None);
    let passed = through(&edge, &mirror, &forged("/x", &bearer(json!({}))));
    assert_verdict("forged, with a token", &passed, Some("1"));
}
