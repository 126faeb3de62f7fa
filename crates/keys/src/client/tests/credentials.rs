use std::fs;

use crate::trust::{Authorization, header_line};
use tempfile::TempDir;

use super::site::for_localhost;
use super::*;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn file(&self, name: &str, content: &str) -> std::path::PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

#[tokio::test]
async fn a_token_is_read_at_each_fetch_and_a_file_that_cannot_be_used_changes_nothing() {
    let (folder, site) = (Folder::new(), Site::plain().await);
    let token = folder.file("token", "first\n");
    let fetch = Fetch { authorization: Some(Authorization::Bearer(token)), ..fetch() };
    let client = client_for(&fetch, &site);
    for next in ["first", "second", "third"] {
        folder.file("token", next);
        text(&client, site.url("/")).await.unwrap();
        assert_eq!(site.header("authorization"), [format!("Bearer {next}")]);
    }
    for unusable in ["", "two words", "\u{e9}"] {
        folder.file("token", unusable);
        text(&client, site.url("/")).await.unwrap();
        assert_eq!(site.header("authorization"), ["Bearer third"], "{unusable:?}");
    }
    fs::remove_file(folder.0.path().join("token")).unwrap();
    text(&client, site.url("/")).await.unwrap();
    assert_eq!(site.header("authorization"), ["Bearer third"]);
    folder.file("token", "fourth");
    text(&client, site.url("/")).await.unwrap();
    assert_eq!(site.header("authorization"), ["Bearer fourth"]);
}

#[tokio::test]
async fn headers_and_a_password_are_sent_as_they_are_written() {
    let (folder, site) = (Folder::new(), Site::plain().await);
    let basic = folder.file("basic", "Aladdin:open sesame\n");
    let lines = folder.file("headers", "# of the gateway\nX-Api-Key: a:b, c\n\nx-tenant: 7\r\n");
    let fetch = Fetch {
        authorization: Some(Authorization::Basic(basic)),
        headers: vec![header_line("X-One: 1").unwrap()],
        headers_file: Some(lines),
        ..fetch()
    };
    get(&fetch, &site, "/").await.unwrap();
    for (name, value) in [
        ("authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ("x-one", "1"),
        ("x-api-key", "a:b, c"),
        ("x-tenant", "7"),
    ] {
        assert_eq!(site.header(name), [value], "{name}");
    }
}

#[tokio::test]
async fn credentials_are_shown_to_configured_and_listed_origins_alone() {
    let folder = Folder::new();
    let (ours, elsewhere) = (Site::plain().await, Site::plain().await);
    elsewhere.set("/denied", Answer::new("401 Unauthorized", b""));
    let token = folder.file("token", "hunter2");
    let mut fetch = Fetch { authorization: Some(Authorization::Bearer(token)), ..fetch() };
    let client = client_for(&fetch, &ours);
    text(&client, ours.url("/")).await.unwrap();
    text(&client, elsewhere.url("/")).await.unwrap();
    assert_eq!(ours.header("authorization"), ["Bearer hunter2"]);
    assert!(elsewhere.header("authorization").is_empty());
    let why = text(&client, elsewhere.url("/denied")).await.unwrap_err();
    let origin = Origin::of(&elsewhere.url("/"));
    let expected = format!("401 Unauthorized; Credentials are not sent to {origin}");
    assert!(why.contains(&expected) && why.contains("add it to fetch_origins"), "{why}");

    fetch.origins = vec![origin.to_string()];
    text(&client_for(&fetch, &ours), elsewhere.url("/")).await.unwrap();
    assert_eq!(elsewhere.header("authorization"), ["Bearer hunter2"]);
    assert!(!format!("{client:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_refusal_says_what_is_missing() {
    let (folder, site) = (Folder::new(), Site::plain().await);
    site.set("/", Answer::new("401 Unauthorized", b""));
    site.set("/gone", Answer::new("410 Gone", b""));
    let why = get(&fetch(), &site, "/").await.unwrap_err();
    assert!(why.contains("401 Unauthorized; if it wants to know who asks, set fetch_token_file"), "{why}");
    let token = folder.file("token", "hunter2");
    let shows =
        Fetch { authorization: Some(Authorization::Bearer(token)), place: "issuers[2].".into(), ..fetch() };
    let why = get(&shows, &site, "/").await.unwrap_err();
    assert!(
        why.contains("does not accept what issuers[2].fetch_token_file says") && !why.contains("hunter2"),
        "{why}"
    );
    assert_eq!(get(&shows, &site, "/gone").await.unwrap_err(), "the server answered 410 Gone");
}

#[test]
fn credentials_never_leave_in_clear() {
    let folder = Folder::new();
    let (token, basic) = (folder.file("token", "hunter2"), folder.file("basic", "a:hunter2"));
    let bearer = Fetch { authorization: Some(Authorization::Bearer(token)), ..fetch() };
    let through = |proxy: &str| crate::trust::ProxyChoice::Through(service::secret::Secret::new(proxy));
    let headers = |lines: &[&str]| lines.iter().map(|line| header_line(line).unwrap()).collect::<Vec<_>>();
    for (what, fetch, url, expected) in [
        ("TLS", bearer.clone(), "https://id.example/", None),
        ("this machine", bearer.clone(), "http://127.0.0.1:1/", None),
        (
            "clear",
            bearer.clone(),
            "http://id.example/",
            Some(
                "fetch_token_file: credentials would be sent without TLS to http://id.example:80; write https://",
            ),
        ),
        ("nothing to hide", fetch(), "http://id.example/", None),
        (
            "a password in the URL",
            fetch(),
            "http://a:hunter2@id.example/",
            Some("keys_url: credentials would be sent without TLS"),
        ),
        (
            "two passwords",
            bearer.clone(),
            "https://a:hunter2@id.example/",
            Some("keys_url: a URL holds a user or password beside fetch_token_file"),
        ),
        (
            "a listed origin",
            Fetch { origins: vec!["http://keys.example".into()], ..bearer.clone() },
            "https://id.example/",
            Some("fetch_origins: credentials would be sent without TLS"),
        ),
        (
            "no origin",
            Fetch { origins: vec!["https://keys.example/hunter2".into()], ..bearer.clone() },
            "https://id.example/",
            Some("fetch_origins: expected origins"),
        ),
        (
            "a proxy on the way",
            Fetch { proxy: through("http://hunter2:p@proxy:1"), ..bearer.clone() },
            "http://127.0.0.1:1/",
            Some(
                "fetch_token_file: credentials would be sent without TLS through the proxy http://proxy:1 of fetch_proxy",
            ),
        ),
        (
            "said twice",
            Fetch { headers: headers(&["Authorization: hunter2"]), ..bearer.clone() },
            "https://id.example/",
            Some("fetch_headers: authorization is said twice"),
        ),
        (
            "two headers",
            Fetch { headers: headers(&["X: hunter2", "x: hunter2"]), ..fetch() },
            "https://id.example/",
            Some("fetch_headers: x is said twice"),
        ),
        (
            "no token",
            Fetch { authorization: Some(Authorization::Bearer(folder.file("empty", " "))), ..fetch() },
            "https://id.example/",
            Some("fetch_token_file: expected one bearer token"),
        ),
        (
            "no password",
            Fetch { authorization: Some(Authorization::Basic(folder.file("user", "hunter2"))), ..fetch() },
            "https://id.example/",
            Some("fetch_basic_file: expected user:password"),
        ),
        (
            "Basic",
            Fetch { authorization: Some(Authorization::Basic(basic)), ..fetch() },
            "https://id.example/",
            None,
        ),
        (
            "no file",
            Fetch { headers_file: Some("/nonexistent".into()), ..fetch() },
            "https://id.example/",
            Some("fetch_headers_file: cannot read"),
        ),
        (
            "no header",
            Fetch { headers_file: Some(folder.file("lines", "hunter2")), ..fetch() },
            "https://id.example/",
            Some("fetch_headers_file: in the file: expected headers"),
        ),
    ] {
        let made =
            Client::new("test", &fetch, &[configured(Url::parse(url).unwrap())], &Surroundings::default());
        let fault = made.err().map(|fault| fault.to_string());
        match (fault, expected) {
            (None, None) => {}
            (Some(fault), Some(expected)) => {
                assert!(fault.starts_with(expected) && !fault.contains("hunter2"), "{what}: {fault}")
            }
            (fault, expected) => panic!("{what}: {fault:?}, expected {expected:?}"),
        }
    }
}

#[tokio::test]
async fn a_redirect_stays_on_its_origin_and_names_the_setting_otherwise() {
    let folder = TempDir::new().unwrap();
    let ours = Authority::new("Ours");
    let ca = trusting(&ours.write(folder.path(), "ours.pem"));
    let site = Site::over_tls(&ours.issue(for_localhost()), None).await;
    let other = Site::over_tls(&ours.issue(for_localhost()), None).await;
    let moved = |to: &str| Answer::new(&format!("302 Found\r\nLocation: {to}"), b"");
    site.set("/moved", moved("/"));
    site.set("/whole", moved(site.url("/").as_str()));
    site.set("/port", moved(other.url("/secret?x=hunter2").as_str()));
    site.set("/clear", moved(&site.url("/").as_str().replace("https:", "http:")));
    site.set("/host", moved(&site.url("/").as_str().replace("localhost", "127.0.0.1")));
    site.set("/round", moved("/round"));
    let (from, to) = (Origin::of(&site.url("/")), Origin::of(&other.url("/")));
    let another = format!(
        "redirected from {from} to {to}, which is another origin; if it is the right one, name it in keys_url"
    );
    for (path, expected) in [
        ("/moved", None),
        ("/whole", None),
        ("/port", Some(another.as_str())),
        ("/clear", Some("another origin")),
        ("/host", Some("another origin")),
        ("/round", Some("redirected more than 3 times")),
    ] {
        match (get(&ca, &site, path).await, expected) {
            (Ok(_), None) => {}
            (Err(why), Some(expected)) => {
                assert!(why.contains(expected) && !why.contains("hunter2"), "{path}: {why}")
            }
            (got, _) => panic!("{path}: {got:?}"),
        }
    }
    assert!(other.asked.lock().unwrap().is_empty());
}
