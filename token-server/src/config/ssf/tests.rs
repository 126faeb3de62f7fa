use std::fs;

use service::settings::ConfigError;

use super::asking::PollToken;
use super::*;
use crate::config::{CONFIG, Config};

const LISTEN: (&str, &str) = ("TOKEN_SERVER__SIGNALS__LISTEN", "127.0.0.1:0");
const STREAM: &str = "[[ssf]]\nname = 's'\nissuer = 'https://idp.example.com'\naudiences = ['edge']\n";

/// A configuration with the settings of a file, in which `FOLDER` is a folder with a key set, secrets and empty files.
fn read(text: &str) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [
        ("push", "Bearer 0123456789\n"),
        ("secret", "0123456789"),
        ("short", "Bearer\n"),
        (
            "keys",
            r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
        ),
    ] {
        fs::write(folder.path().join(name), content).unwrap();
    }
    let file = folder.path().join("settings.toml");
    fs::write(&file, text.replace("FOLDER", folder.path().to_str().unwrap())).unwrap();
    let variables = [(CONFIG, file.to_str().unwrap()), LISTEN];
    Config::from_environment(variables.map(|(name, value)| (name.into(), value.into())))
}

fn stream(fields: &str) -> Arc<Stream> {
    let signals =
        read(&format!("{STREAM}authorization_file = 'FOLDER/push'\n{fields}")).unwrap().signals.unwrap();
    Arc::clone(&signals.streams[0])
}

#[test]
fn a_stream_is_read_with_its_keys_behind_those_of_the_issuers() {
    let issuer = "[[issuers]]\nissuer = 'https://id.example.com'\nkeys_file = 'FOLDER/keys'\nissuer_aliases = ['https://id.example.net']\nmax_lifetime = 600\n";
    let text = format!(
        "{issuer}{STREAM}authorization_file = 'FOLDER/push'\nsubject_issuer = 'https://id.example.com'\n"
    );
    let config = read(&text).unwrap();
    let stream = &config.signals.unwrap().streams[0];
    assert_eq!((stream.keys, config.keys.configured.issuers.len()), (1, 2));
    assert_eq!(stream.subject_issuers, ["https://id.example.com", "https://id.example.net"]);
    assert_eq!(
        stream.speaks_of,
        ["https://id.example.com", "https://id.example.net", "https://idp.example.com"]
    );
    assert_eq!(stream.hold, Duration::from_secs(600));
    let sources: Vec<usize> = config.keys.sources.iter().map(|(set, _)| *set).collect();
    assert_eq!(sources, [0, 1]);
    let value = stream.authorization.as_ref().unwrap().current();
    for (shown, right) in [
        ("Bearer 0123456789", true),
        ("bearer 0123456789", false),
        ("Bearer 0123456789 ", false),
        ("", false),
    ] {
        assert_eq!(value.is(shown), right, "{shown:?}");
    }
    assert_eq!(format!("{value:?}"), "(hidden)");
}

#[test]
fn without_another_place_keys_are_found_by_the_transmitters_document() {
    let place = |fields: &str| stream(fields).sources.discovery.first().and_then(|found| found.url.clone());
    assert_eq!(place("").unwrap(), "https://idp.example.com/.well-known/ssf-configuration");
    assert_eq!(place("discovery_url = 'https://x.example/risc'\n").unwrap(), "https://x.example/risc");
    let of_file = stream("keys_file = 'FOLDER/keys'\ndiscovery = true\n");
    assert_eq!(of_file.sources.discovery.len(), 0, "the keys are those of the file");
    assert_eq!(
        of_file.document.as_ref().map(Url::as_str),
        Some("https://idp.example.com/.well-known/ssf-configuration")
    );
    assert_eq!(stream("keys_file = 'FOLDER/keys'\n").document, None);
    for (issuer, expected) in [
        (
            "https://tr.example.com/issuer1",
            Some("https://tr.example.com/.well-known/ssf-configuration/issuer1"),
        ),
        (
            "https://tr.example.com/issuer1/",
            Some("https://tr.example.com/.well-known/ssf-configuration/issuer1"),
        ),
        ("https://tr.example.com/", Some("https://tr.example.com/.well-known/ssf-configuration")),
        ("https://tr.example.com/?x", None),
        ("urn:x", None),
    ] {
        assert_eq!(sources::well_known(issuer).as_deref(), expected, "{issuer}");
    }
}

#[test]
fn events_are_set_by_name() {
    let stream = stream(
        "events = { session-revoked = 'session', risk-level-change = 'revoke', account-enabled = 'ignore' }\n",
    );
    let of = |name| stream.events.of(&EventType::named(name).unwrap());
    assert_eq!(of("session-revoked"), Action::Session);
    assert_eq!(of("risk-level-change"), Action::Revoke);
    assert_eq!(of("account-enabled"), Action::Ignore);
    assert_eq!(of("account-disabled"), Action::Revoke);
    assert_eq!(of("device-compliance-change"), Action::Shadow);
}

#[test]
fn polling_is_read_with_one_way_to_say_who_asks() {
    let with = "poll_url = 'https://idp.example.com/poll'\n";
    let interval = |stream: &Stream| stream.poll.as_ref().unwrap().interval;
    let token = |stream: &Stream| stream.asking.clone().unwrap().token;
    let polled = stream(with);
    assert_eq!((interval(&polled), token(&polled).is_none()), (Duration::from_secs(10), true));
    let polled = stream(&format!("{with}poll_interval = 3\npoll_token_file = 'FOLDER/secret'\n"));
    assert_eq!(interval(&polled), Duration::from_secs(3));
    assert!(matches!(token(&polled), Some(PollToken::File(_))));
    let credentials = "poll_token_url = 'http://127.0.0.1/t'\npoll_client_id = 'edge'\npoll_client_secret_file = 'FOLDER/secret'\n";
    let polled = stream(&format!("{with}{credentials}"));
    assert!(matches!(token(&polled), Some(PollToken::Credentials { .. })));
    // A stream that is pushed asks for verification events by the same.
    let pushed = stream("poll_token_file = 'FOLDER/secret'\n");
    assert!(matches!(token(&pushed), Some(PollToken::File(_))) && pushed.poll.is_none());
    assert!(stream("keys_file = 'FOLDER/keys'\n").asking.is_none(), "nothing says where");
}

#[test]
fn a_stream_may_be_silent_unless_it_is_polled_or_something_is_expected_of_it() {
    let expected = |fields| stream(fields).heartbeat.map(|expected| expected.as_secs());
    assert_eq!(expected(""), None);
    assert_eq!(expected("heartbeat = 3600\n"), Some(3_600));
    assert_eq!(expected("poll_url = 'https://idp.example.com/poll'\n"), Some(1_800));
}

#[test]
fn a_fault_names_the_field_and_the_cure() {
    let with = |fields: &str| format!("{STREAM}authorization_file = 'FOLDER/push'\n{fields}");
    let issuer = "[[issuers]]\nissuer = 'https://id.example.com'\nkeys_file = 'FOLDER/keys'\n";
    for (text, faults) in [
        (
            "[[ssf]]\nname = 'a b'\n".to_owned(),
            vec![
                "name: expected 1 to 64 letters",
                "issuer: is required",
                "audiences: is required",
                "authorization_file: is required, unless poll_url is set",
            ],
        ),
        (STREAM.to_owned(), vec!["authorization_file: is required, unless poll_url is set"]),
        (
            format!("{STREAM}authorization_file = 'FOLDER/short'\n"),
            vec!["authorization_file: expected one line of 8 or more"],
        ),
        (format!("{STREAM}authorization_file = '/nonexistent'\n"), vec!["authorization_file: "]),
        (with("events = { session-revoke = 'revoke' }\n"), vec!["events: session-revoke is no event type"]),
        (
            with("events = { session-revoked = 'kill' }\n"),
            vec!["events: session-revoked: expected revoke, session, shadow or ignore"],
        ),
        (
            with("events = { account-enabled = 'revoke' }\n"),
            vec!["events: account-enabled says that nothing has ended"],
        ),
        (with("profile = 'caep'\n"), vec!["profile: "]),
        (with("discovery = false\n"), vec!["issuer: has no keys: set jwks_url or keys_file"]),
        (with("heartbeat = 59\n"), vec!["heartbeat: expected seconds, 60 to 604800"]),
        (
            with("poll_url = 'https://i.example/'\nheartbeat = 60\n"),
            vec!["heartbeat: is for streams that are pushed"],
        ),
        (
            with("keys_file = 'FOLDER/keys'\npoll_token_file = 'FOLDER/secret'\n"),
            vec!["poll_token_file: has no effect without poll_url, or the transmitter's document"],
        ),
        (
            with("keys_file = 'FOLDER/keys'\ndiscovery_url = 'x'\n"),
            vec!["discovery_url: expected an http(s) URL"],
        ),
        (with("leeway = 301\n"), vec!["leeway: expected seconds, 0 to 300"]),
        (with("poll_interval = 5\n"), vec!["poll_interval: has no effect without poll_url"]),
        (with("poll_url = 'http://idp.example.com/poll'\n"), vec!["poll_url: expected an https:// URL"]),
        (
            with("poll_url = 'https://i.example/'\npoll_client_id = 'c'\n"),
            vec!["poll_token_url: is missing", "poll_client_secret_file: is missing"],
        ),
        (format!("{}{}", with(""), with("")), vec!["name: comes twice"]),
        (format!("{issuer}{}", with("")), vec!["subject_issuer: is no trusted issuer"]),
        (
            format!("{issuer}{}", with("subject_issuer = 'https://id.example.com/'\n")),
            vec!["subject_issuer: is no trusted issuer"],
        ),
        (with("unknown = 1\n"), vec!["unknown"]),
    ] {
        let error = read(&text).map(|_| ()).unwrap_err().to_string();
        for fault in faults {
            assert!(error.contains(fault), "{text}\n{error}\nlacks {fault}");
        }
    }
}

#[test]
fn a_stream_without_a_listener_is_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    fs::write(&file, format!("{STREAM}poll_url = 'https://i.example/'\n")).unwrap();
    let error = Config::from_environment([(CONFIG.into(), file.into())]).unwrap_err().to_string();
    assert!(error.contains("[[ssf]]: are not heard: set TOKEN_SERVER__SIGNALS__LISTEN"), "{error}");
}
