//! What operators write of authorization servers, faults included.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::super::{CONFIG, Config, PROFILE, settings};
use super::*;
use service::settings::{ConfigError, Environment};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("secret"), "of the client\n").unwrap();
        fs::write(folder.path().join("secret.token"), "a-token\n").unwrap();
        Self(folder)
    }

    fn read(&self, text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let file = self.0.path().join("settings.toml");
        let secret = Path::display(&self.0.path().join("secret")).to_string();
        fs::write(&file, text.replace("SECRET", &secret)).unwrap();
        let variables =
            variables.iter().map(|(name, value)| ((*name).into(), value.replace("SECRET", &secret).into()));
        let environment = Environment::of(variables.chain([(CONFIG.into(), file.into())]));
        Config::read(&mut settings(environment).unwrap())
    }

    fn faults(&self, text: &str, variables: &[(&str, &str)]) -> String {
        self.read(text, variables).map(|_| String::new()).unwrap_or_else(|error| error.to_string())
    }
}

const GOOD: [(&str, &str); 3] =
    [(ISSUER, "https://id.example.com"), (FLAT.client_id, "edge"), (FLAT.client_secret_file, "SECRET")];

#[test]
fn one_server_is_written_flat_and_more_as_tables_that_take_over_what_is_general() {
    let folder = Folder::new();
    let config = folder.read("", &[]).unwrap();
    assert!(config.introspection.servers.is_empty());
    let config = folder.read("", &[GOOD[0], GOOD[1], GOOD[2], (CACHE_SIZE, "5")]).unwrap();
    let [only] = config.introspection.servers.as_slice() else { panic!("{config:?}") };
    assert_eq!((&*only.written.issuer, only.written.prefix.as_str()), ("https://id.example.com", ""));
    assert_eq!((&only.written.terms, config.introspection.cache_size), (&Terms::default(), 5));
    assert_eq!(only.secret.as_ref().unwrap().current().expose(), "of the client");
    assert!(!format!("{config:?}").contains("of the client"));

    let tables = r#"
        [[introspection]]
        issuer = "https://id.example.com"
        prefix = "one_"
        client_id = "edge"
        client_secret_file = "SECRET"
        auth = "post"
        cache_ttl = 1
        [[introspection]]
        issuer = "legacy"
        url = "http://127.0.0.1:8080/introspect"
        client_id = "edge"
        client_secret_file = "SECRET"
        token_types = ["opaque"]
        allow_untyped = true
    "#;
    let config = folder.read(tables, &[(CACHE_TTL, "7"), (NEGATIVE_TTL, "0"), (RATE, "9")]).unwrap();
    let [one, legacy] = config.introspection.servers.as_slice() else { panic!("{config:?}") };
    assert_eq!(one.written.authentication, Authentication::Post("edge".to_owned()));
    let ttls =
        [one, legacy].map(|server| (server.written.terms.cache_ttl.as_secs(), server.written.terms.rate));
    assert_eq!(ttls, [(1, 9), (7, 9)]);
    assert_eq!(legacy.written.terms.negative_ttl, Duration::ZERO);
    assert_eq!(legacy.written.terms.token_types, ["opaque"]);
    assert!(legacy.written.terms.allow_untyped && legacy.written.url.is_some());
}

#[test]
fn what_could_send_a_secret_elsewhere_or_do_nothing_is_a_fault() {
    let folder = Folder::new();
    let [issuer, id, secret] = GOOD;
    for (variables, expected) in [
        (&[id, secret][..], "CLIENT_ID: has no effect without TOKEN_SERVER__INTROSPECTION__ISSUER"),
        (&[(CACHE_TTL, "5")], "CACHE_TTL: has no effect without TOKEN_SERVER__INTROSPECTION__ISSUER"),
        (&[(FLAT.url, "https://id.example.com/i"), id, secret], "URL: has no effect without"),
        (&[issuer, secret], "CLIENT_ID: is missing: TOKEN_SERVER__INTROSPECTION__AUTH=basic needs it"),
        (&[issuer, id], "CLIENT_SECRET_FILE: is missing"),
        (&[issuer, id, secret, (FLAT.token_file, "SECRET")], "TOKEN_FILE: has no effect with"),
        (&[issuer, (FLAT.auth, "bearer")], "TOKEN_FILE: is missing"),
        (&[issuer, id, secret, (FLAT.key_id, "k")], "KEY_ID: has no effect with"),
        (&[(FLAT.signed, "true")], "SIGNED: has no effect without"),
        (
            &[issuer, (FLAT.auth, "bearer"), (FLAT.token_file, "SECRET.token"), (FLAT.signed, "true")],
            "SIGNED: needs TOKEN_SERVER__INTROSPECTION__CLIENT_ID",
        ),
        (
            &[(ISSUER, "legacy"), (FLAT.url, "https://id.example.com/i"), id, secret, (FLAT.signed, "true")],
            "SIGNED: needs the keys of TOKEN_SERVER__INTROSPECTION__ISSUER",
        ),
        (&[issuer, id, (FLAT.auth, "private_key_jwt")], "KEY_FILE: is missing"),
        (&[issuer, (FLAT.auth, "private_key_jwt"), (FLAT.key_file, "SECRET")], "CLIENT_ID: is missing"),
        (
            &[issuer, id, (FLAT.auth, "private_key_jwt"), (FLAT.key_file, "SECRET")],
            "KEY_FILE: expected one private key",
        ),
        (&[issuer, id, (FLAT.auth, "mtls")], "CERT_FILE: is missing"),
        (
            &[issuer, id, secret, (FLAT.auth, "none")],
            "AUTH: expected basic, post, private_key_jwt, bearer or mtls",
        ),
        (&[(ISSUER, "http://id.example.com"), id, secret], "ISSUER: leads to no metadata"),
        (&[(ISSUER, "legacy"), id, secret], "ISSUER: leads to no metadata"),
        (&[issuer, id, secret, (FLAT.url, "http://id.example.com/i")], "URL: expected an https:// URL"),
        (&[issuer, id, secret, (FLAT.ca_file, "/nonexistent")], "cannot read the file"),
        (&[issuer, id, secret, (CACHE_TTL, "3601")], "CACHE_TTL: expected seconds, 0 to 3600"),
        (&[issuer, id, secret, (TIMEOUT_MS, "49")], "TIMEOUT_MS: expected milliseconds, 50 to 10000"),
        (&[issuer, id, secret, (RATE, "0")], "RATE: expected calls, 1 to 100000"),
        (&[issuer, id, secret, (PROFILE, "ms-users")], "ISSUER: is for the profile standard"),
    ] {
        let faults = folder.faults("", variables);
        assert!(faults.contains(expected), "{variables:?}: {faults}");
    }
    let table =
        |more: &str| format!("[[introspection]]\nclient_id = 'a'\nclient_secret_file = 'SECRET'\n{more}\n");
    let other = table("issuer = 'https://id.example.com'");
    for (text, variables, expected) in [
        (table(""), &[][..], "introspection[0].issuer: is required"),
        (format!("{other}{other}"), &[], "introspection[1].prefix: comes twice"),
        (other.clone(), &GOOD, "introspection[0].prefix: comes twice"),
        (
            table("issuer = 'https://id.example.com'\nprefix = 'a b'"),
            &[],
            "introspection[0].prefix: expected",
        ),
    ] {
        let faults = folder.faults(&text, variables);
        assert!(faults.contains(expected), "{text}: {faults}");
    }
    let secret_of = |content: &[u8]| credentials_line(content);
    assert!(secret_of(b"").is_err() && secret_of(b"a\nb").is_err() && secret_of(b"a b").is_ok());
}

fn credentials_line(content: &[u8]) -> Result<Secret, String> {
    super::credentials::line(content)
}
