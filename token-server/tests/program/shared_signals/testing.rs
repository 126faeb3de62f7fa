//! `token-server signals test`: what a message would do, told without doing it.

use super::*;
use crate::harness::output_of;

const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";

struct Told {
    code: Option<i32>,
    answer: Value,
    error: String,
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("push"), PUSH).unwrap();
        fs::write(path("keys"), jwks([key("RS256")])).unwrap();
        let place = folder.path().to_str().unwrap();
        let issuer = format!(
            "[[issuers]]\nissuer = '{ISSUER}'\nkeys_file = 'FOLDER/keys'\n[[signals]]\nissuer = '{ISSUER}'\naudiences = ['shop']\n"
        );
        let tables = [
            issuer,
            stream("okta", ""),
            stream("twin", "issuer = 'https://b.example'\nsubject_issuer = 'https://idp.example.com'\n"),
            stream("twin2", "issuer = 'https://b.example'\nsubject_issuer = 'https://idp.example.com'\n"),
        ];
        fs::write(path("settings.toml"), tables.concat().replace("FOLDER", place)).unwrap();
        Self(folder)
    }

    fn ask(&self, arguments: &[&str], token: &str) -> Told {
        let config = self.0.path().join("settings.toml");
        let store = self.0.path().join("rules.redb");
        let settings = [
            ("TOKEN_SERVER_CONFIG", config.as_os_str()),
            ("TOKEN_SERVER__STORE__PATH", store.as_os_str()),
            ("TOKEN_SERVER__SIGNALS__LISTEN", OsStr::new("127.0.0.1:0")),
        ];
        let done = output_of(&settings, &[&["signals", "test"], arguments].concat(), token);
        assert!(!store.exists(), "a question makes no store");
        let text = String::from_utf8(done.stdout).unwrap();
        let answer = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Told { code: done.status.code(), answer, error: String::from_utf8(done.stderr).unwrap() }
    }
}

#[test]
fn a_message_is_explained_with_the_rules_that_it_would_write() {
    let folder = Folder::new();
    let at = now();
    let told = folder.ask(&["--json"], &set(key("RS256"), &told(json!({"iat": at, "jti": "7"}))));
    assert_eq!(
        (told.code, &told.answer["believed"], &told.answer["does"]),
        (Some(0), &json!(true), &json!("revokes")),
        "{}",
        told.error
    );
    assert_eq!(
        (&told.answer["kind"], &told.answer["sender"], &told.answer["jti"]),
        (&json!("ssf"), &json!("okta"), &json!("7"))
    );
    let rule = &told.answer["rules"][0];
    assert_eq!(
        (&rule["group"], &rule["mode"], &rule["rule"]),
        (&json!("anna"), &json!("enforce"), &json!({"iss": ISSUER, "iat": {"lte": at}}))
    );
    let logout = json!({"iss": ISSUER, "aud": "shop", "iat": at, "exp": at + 60, "jti": "8", "sub": "ben", "events": {LOGOUT: {}}});
    let told = folder.ask(&["--json"], &typed(key("RS256"), "logout+jwt", &logout));
    assert_eq!(
        (told.code, &told.answer["kind"], &told.answer["rules"][0]["group"]),
        (Some(0), &json!("logout"), &json!("ben")),
        "{}",
        told.error
    );
    let device = json!({"format": "complex", "user": {"format": "opaque", "id": "anna"}, "device": {"format": "opaque", "id": "d"}});
    let told = folder.ask(&[], &set(key("RS256"), &super::told(json!({"sub_id": device}))));
    let text = told.answer.as_str().unwrap();
    for part in ["believed: ssf okta", "inexact: ", "device", "anna  shadow"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn what_is_refused_or_belongs_to_no_table_says_why() {
    let folder = Folder::new();
    for (arguments, token, code, part) in [
        (&["--json"][..], set(key("RS256"), &told(json!({"aud": "x"}))), 2, "invalid_audience"),
        (&["--json"], set(key("RS256"), &told(json!({"exp": now()}))), 2, "exp"),
        (&["--json"], set(key("PS256"), &told(json!({}))), 2, "unknown_key"),
        (&["--json"], set(key("RS256"), &told(json!({"iss": "https://c.example"}))), 64, "no [[ssf]] table"),
        (
            &["--json"],
            set(key("RS256"), &told(json!({"iss": "https://b.example"}))),
            64,
            "--stream: twin, twin2",
        ),
        (
            &["--json", "--stream", "none"],
            set(key("RS256"), &told(json!({}))),
            64,
            "no [[ssf]] table has the name none",
        ),
        (&["--json"], "abc".to_owned(), 64, "no signed token"),
    ] {
        let told = folder.ask(arguments, &token);
        assert_eq!(told.code, Some(code), "{part}: {}{}", told.answer, told.error);
        assert!(
            format!("{}{}", told.answer, told.error).contains(part),
            "{part}: {}{}",
            told.answer,
            told.error
        );
    }
    let by_name = folder.ask(
        &["--json", "--stream", "twin2"],
        &set(key("RS256"), &told(json!({"iss": "https://b.example"}))),
    );
    assert_eq!((by_name.code, &by_name.answer["sender"]), (Some(0), &json!("twin2")), "{}", by_name.error);
}
