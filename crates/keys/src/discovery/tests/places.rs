//! Where a document is looked for, and where it says that the keys are.

use crate::trust::Fetch;

use super::*;
use crate::{Client, Surroundings};

#[tokio::test]
async fn a_document_is_looked_for_where_the_rfcs_say_and_only_its_absence_leads_on() {
    const PATHS: [&str; 3] = [
        "/a/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server/a",
        "/.well-known/openid-configuration/a",
    ];
    let status = |status| Answer { status, ..Answer::default() };
    for (what, answers, expected) in [
        ("OpenID's place", [None, Some(status(500)), Some(status(500))], Ok(())),
        ("RFC 8414's", [Some(status(404)), None, Some(status(500))], Ok(())),
        ("OpenID's before the path", [Some(status(404)), Some(status(404)), None], Ok(())),
        ("down", [Some(status(500)), None, None], Err("500")),
        ("forbidden", [Some(status(403)), None, None], Err("403")),
        ("gone", [Some(status(410)), None, None], Err("410")),
        ("garbage", [Some(json("<html>")), None, None], Err("is HTML")),
        ("the second is down", [Some(status(404)), Some(status(503)), None], Err("503")),
        ("nowhere", [Some(status(404)), Some(status(404)), Some(status(404))], Err("is absent (404 at ")),
    ] {
        for slash in ["", "/"] {
            let server = Server::start().await;
            let issuer = format!("{}/a{slash}", server.base);
            server.keys("/k", "a");
            let good = json(&format!(r#"{{"issuer":"{issuer}","jwks_uri":"{}/k"}}"#, server.base));
            for (path, answer) in PATHS.into_iter().zip(&answers) {
                server.set(path, answer.clone().unwrap_or_else(|| good.clone()));
            }
            let found = keys_of(Table { issuer: "~", ..table("~") }.at(&issuer)).await;
            match (found, expected) {
                (Ok(1), Ok(())) => {}
                (Err(text), Err(expected)) => {
                    assert!(text.contains(expected) && text.contains(&server.base), "{what}: {text}");
                    assert!(expected != "404" || PATHS.iter().all(|path| text.contains(path)), "{text}");
                }
                (found, _) => panic!("{what}: {found:?}"),
            }
        }
    }
}

#[tokio::test]
async fn an_issuer_without_a_path_is_looked_for_in_two_places() {
    let server = Server::start().await;
    let text = keys_of(table("~/").at(&server.base)).await.unwrap_err();
    let base = &server.base;
    let places = format!(
        "(404 at {base}/.well-known/openid-configuration, {base}/.well-known/oauth-authorization-server)"
    );
    assert!(text.contains(&places) && text.contains("set discovery_url"), "{text}");
    server.keys("/k", "a");
    let document = format!(r#"{{"issuer":"{base}/","jwks_uri":"{base}/k"}}"#);
    server.set("/.well-known/oauth-authorization-server", json(&document));
    assert_eq!(keys_of(table("~/").at(base)).await, Ok(1));
}

#[tokio::test]
async fn a_document_that_names_no_keys_says_so_with_a_cure() {
    let server = Server::start().await;
    server.keys("/k", "a");
    let moved = Answer {
        status: 302,
        headers: vec![("location", "http://localhost:1/".into())],
        ..Answer::default()
    };
    for (document, expected) in [
        (json(r#"{"issuer":"~","jwks_uri":"~/k","jwks_uri ":"x"}"#), None),
        (json("\u{feff}{\"issuer\":\"~\",\"jwks_uri\":\"~/k\"}"), None),
        (json(r#"{"issuer":"~"}"#), Some("has no jwks_uri: set keys_url")),
        (json(r#"{"issuer":"~","jwks_uri":null}"#), Some("has no jwks_uri: set keys_url")),
        (
            json(r#"{"issuer":"~","jwks_uri":"/k"}"#),
            Some(r#"says jwks_uri = "/k", which is no http(s) URL: set keys_url"#),
        ),
        (json(r#"{"issuer":"~","jwks_uri":"file:///k"}"#), Some("which is no http(s) URL: set keys_url")),
        (json(r#"{"issuer":"~","jwks_uri":7}"#), Some("is no JSON object")),
        (json(r#"{"issuer":"~","issuer":"~","jwks_uri":"~/k"}"#), Some("is no JSON object")),
        (json(r#"{"jwks_uri":"~/k"}"#), Some("has no issuer")),
        (json(r#"{"keys":[]}"#), Some("has no issuer")),
        (json("[]"), Some("is no JSON object")),
        (json(""), Some("is no JSON object")),
        (json(" <!DOCTYPE html><html>"), Some("is HTML: a web page answers there")),
        (moved, Some("/.well-known/openid-configuration: cannot fetch: ")),
        (
            json(r#"{"issuer":"~","jwks_uri":"~/gone"}"#),
            Some("keys at its jwks_uri ~/gone: the server answered 404"),
        ),
    ] {
        let body = document.body.replace('~', &server.base);
        server.set("/.well-known/openid-configuration", Answer { body, ..document.clone() });
        let found = keys_of(table("~").at(&server.base)).await;
        match expected {
            None => assert_eq!(found, Ok(1), "{}", document.body),
            Some(expected) => {
                let text = found.unwrap_err();
                assert!(text.contains(&expected.replace('~', &server.base)), "{}: {text}", document.body);
            }
        }
    }
}

#[tokio::test]
async fn a_redirect_away_names_the_setting_of_the_document_that_was_asked_for() {
    let server = Server::start().await;
    let base = server.base.clone();
    let moved = || Answer {
        status: 302,
        headers: vec![("location", "http://localhost:1/".into())],
        ..Answer::default()
    };
    server.set("/moved", moved());
    server.set("/.well-known/openid-configuration", moved());
    server.set("/found", json(&format!(r#"{{"issuer":"{base}","jwks_uri":"{base}/moved"}}"#)));
    let flat = Discovery::flat("JWT_OIDC_ISSUERS", base.clone());
    let found = Table { url: Some("~/found"), ..table("~") }.at(&base);
    for (what, place, source, expected) in [
        ("a flat issuer's document", "", UrlSource::Issuer(flat), "discovery_url of an [[issuers]] table"),
        ("a table's", "issuers[2].", UrlSource::Issuer(table("~").at(&base)), "issuers[2].discovery_url"),
        ("the keys that it names", "issuers[2].", UrlSource::Issuer(found), "issuers[2].keys_url"),
        (
            "keys",
            "issuers[2].",
            UrlSource::Keys(Url::parse(&format!("{base}/moved")).unwrap()),
            "issuers[2].keys_url",
        ),
    ] {
        let fetch = Fetch { place: place.to_owned(), ..Fetch::default() };
        let client = Client::new("test", &fetch, &[], &Surroundings::default()).unwrap();
        let text = Source::Url(source, client).load(&rules()).await.unwrap_err().to_string();
        let cure = format!("another origin; if it is the right one, name it in {expected}");
        assert!(text.ends_with(&cure), "{what}: {text}");
    }
}

#[test]
fn keys_without_tls_are_not_taken_from_a_document_that_came_over_it() {
    let (tls, plain) = ("https://id.example/d", "http://id.internal/d");
    for (url, keys, expected) in [
        (tls, "https://keys.example/k", Ok(())),
        (tls, "http://id.example/k?secret", Err(Fault::NotTls("http://id.example/k".into()))),
        (plain, "http://id.internal/k", Ok(())),
        (plain, "https://id.example/k", Ok(())),
    ] {
        let document = format!(r#"{{"issuer":"https://id.example","jwks_uri":"{keys}"}}"#);
        let discovery = table("https://id.example").at("");
        let found = found(document.as_bytes(), &Url::parse(url).unwrap(), &discovery);
        assert_eq!(found.map(drop), expected, "{url} {keys}");
    }
    let text = Fault::NotTls("http://id.example/k".into()).to_string();
    assert!(text.contains("without TLS") && text.contains("set keys_url"), "{text}");
}
