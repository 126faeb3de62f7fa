use std::fs;

use integration_tests::keys::{jwks, key};

use super::super::Config;
use super::*;

/// What is read of a file with two issuers and these tables, beside these settings.
fn config(tables: &str, settings: &[(&str, &str)]) -> Result<Signals, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("keys"), jwks([key("ES256")])).unwrap();
    let keys = path("keys");
    let issuers = format!(
        "[[issuers]]\nissuer = 'i'\nissuer_aliases = ['j']\nkeys_file = '{keys}'\nmax_lifetime = 600\nleeway = 5\n\
         [[issuers]]\nissuer = 'k'\nkeys_file = '{keys}'\n"
    );
    fs::write(path("settings"), format!("{issuers}{tables}")).unwrap();
    let file = [("TOKEN_SERVER_CONFIG".into(), path("settings").into())];
    let settings = settings.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    let read = Config::from_environment(file.into_iter().chain(settings));
    read.map(|config| config.signals.expect("a listener")).map_err(|faults| faults.to_string())
}

const ON: (&str, &str) = (LISTEN, "127.0.0.1:0");

#[test]
fn a_table_has_its_defaults_and_what_its_issuer_says() {
    let tables = "[[signals]]\nissuer = 'i'\naudiences = ['a', 'b']\n\
                  [[signals]]\nissuer = 'k'\naudiences = 'c'\nlogout = false\nscope = 'session'\nmode = 'shadow'\n\
                  subject_claim = 'username'\n";
    let signals =
        config(tables, &[ON, (HOLD, "7200"), (MAX_AGE, "60"), (RATE, "9"), (EMAIL, "true")]).unwrap();
    assert_eq!((signals.max_age.as_secs(), signals.rate, signals.email), (60, 9, true));
    let [first, second] = signals.providers.as_slice() else { panic!("{signals:?}") };
    assert_eq!((&*first.issuer, first.names.len(), first.keys), ("i", 2, 0));
    assert_eq!((first.audiences.as_slice(), first.logout), (&["a".to_owned(), "b".to_owned()][..], true));
    assert_eq!(
        (first.scope, first.mode, first.subject_claim.as_str()),
        (Scope::Subject, Mode::Enforce, "sub")
    );
    assert_eq!(first.hold.as_secs(), 605, "the longest lifetime of its tokens, and the leeway of their end");
    assert_eq!((second.hold.as_secs(), second.keys, second.logout), (7_200, 1, false));
    assert_eq!(
        (second.scope, second.mode, second.subject_claim.as_str()),
        (Scope::Session, Mode::Shadow, "username")
    );
    let warnings = signals.warnings();
    assert!(warnings.len() == 2 && warnings[0].contains("scope is session"), "{warnings:?}");
    assert!(warnings[1].contains("[[signals]] of k: mode is shadow"), "{warnings:?}");
    let usual = config("", &[ON]).unwrap();
    assert_eq!(
        (usual.max_age.as_secs(), usual.hold.as_secs(), usual.rate, usual.email),
        (300, 86_400, 50, false)
    );
}

#[test]
fn what_could_not_be_heard_or_believed_is_a_fault_that_names_the_cure() {
    let table = |fields: &str| format!("[[signals]]\n{fields}\n");
    for (tables, settings, fault) in [
        (
            table("issuer = 'i'\naudiences = ['a']"),
            &[][..],
            "[[signals]]: are not heard: set TOKEN_SERVER__SIGNALS__LISTEN",
        ),
        (
            String::new(),
            &[(RATE, "9")],
            "TOKEN_SERVER__SIGNALS__RATE: has no effect without TOKEN_SERVER__SIGNALS__LISTEN",
        ),
        (String::new(), &[(EMAIL, "true")], "TOKEN_SERVER__SIGNALS__EMAIL: has no effect"),
        (table("issuer = 'i'"), &[ON], "signals[0].audiences: is required"),
        (table("audiences = ['a']"), &[ON], "signals[0].issuer: is required"),
        (table("issuer = 'x'\naudiences = ['a']"), &[ON], "signals[0].issuer: is no trusted issuer"),
        (table("issuer = 'j'\naudiences = ['a']"), &[ON], "an issuer with aliases is named by its issuer"),
        (
            table("issuer = 'i'\naudiences = ['a']\n[[signals]]\nissuer = 'i'\naudiences = ['b']"),
            &[ON],
            "signals[1].issuer: comes twice",
        ),
        (
            table("issuer = 'i'\naudiences = ['a']\nscope = 'all'"),
            &[ON],
            "signals[0].scope: expected subject or session",
        ),
        (
            table("issuer = 'i'\naudiences = ['a']\nmode = 'on'"),
            &[ON],
            "signals[0].mode: expected enforce or shadow",
        ),
        (table("issuer = 'i'\naudiences = ['a']\nlogouts = true"), &[ON], "did you mean logout?"),
        (
            String::new(),
            &[ON, (MAX_AGE, "0")],
            "TOKEN_SERVER__SIGNALS__MAX_AGE: expected seconds, 1 to 86400",
        ),
        (String::new(), &[(LISTEN, "4003")], "TOKEN_SERVER__SIGNALS__LISTEN: expected host:port"),
    ] {
        let told = config(&tables, settings).unwrap_err();
        assert!(told.contains(fault), "{tables}: {told}");
    }
}
