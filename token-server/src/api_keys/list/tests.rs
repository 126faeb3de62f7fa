use super::*;

/// As `printf %s test | sha256sum` and `printf %s other | sha256sum` print them.
const TEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const OTHER: &str = "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const NOW: UnixTime = UnixTime::from_secs(1_795_820_810);

fn table(sha256: &str, rest: &str) -> String {
    format!(
        "[[keys]]\nname = \"k-{}\"\nsha256 = \"{sha256}\"\nmade = 2026-11-27T10:00:00Z\n{rest}\n",
        &sha256[..4]
    )
}

fn parse(text: &str) -> Result<KeyList, KeyListError> {
    KeyList::parse(text.as_bytes())
}

fn claims(key: &ApiKey, issuer: Option<&str>) -> Value {
    serde_json::from_str(key.claims(issuer, NOW).unwrap().as_json()).unwrap()
}

#[test]
fn a_key_stands_for_its_claims_and_for_what_its_table_says() {
    let rest =
        r#"claims = { sub = "shop", scope = "a b", aud = ["x", "y"], n = { deep = 1.5, yes = true } }"#;
    let other = "ends = 2027-11-28T11:00:00+01:00\n[keys.claims]\nsub = \"shop\"\niss = \"own\"";
    let list = parse(&format!("# people\n{}\n{}", table(TEST, rest), table(OTHER, other))).unwrap();
    let [first, second] = list.keys() else { panic!("{list:?}") };
    assert_eq!(list.find(&TokenHash::of("test")), Some(first));
    assert_eq!(list.find(&TokenHash::of("other")), Some(second));
    assert_eq!(list.named("k-d929"), Some(second));
    for shown in ["tes", "test ", "", "k-9f86", TEST] {
        assert_eq!(list.find(&TokenHash::of(shown)), None, "{shown}");
    }
    let expected = serde_json::json!({
        "sub": "shop", "scope": "a b", "aud": ["x", "y"], "n": {"deep": 1.5, "yes": true}, "iss": "https://keys.example",
        "iat": 1_795_773_600, "exp": 1_795_821_110, "jti": "9f86d081884c7d659a2feaa0c55ad015",
    });
    assert_eq!(claims(first, Some("https://keys.example")), expected, "an end that goes along with the time");
    assert_eq!(claims(first, None).get("iss"), None);
    let second = claims(second, Some("https://keys.example"));
    assert_eq!((&second["iss"], &second["exp"]), (&"own".into(), &1_827_396_000_i64.into()));
    assert_eq!(format!("{:?}", parse("")), format!("{:?}", Ok::<_, KeyListError>(KeyList::default())));
}

#[test]
fn what_cannot_be_used_is_told_with_its_line_and_not_quoted() {
    let good = "claims = { sub = \"a\" }";
    let form = |line| KeyListError::Form { line };
    let key = |line, why| KeyListError::Key { line, why };
    let secret = "hj_secret-secret-secret";
    let claims = |claims: &str| table(TEST, &format!("claims = {{ {claims} }}"));
    for (text, error) in [
        (format!("{}expires = 2027-01-01T00:00:00Z\n", table(TEST, good)), form(6)),
        (format!("# x\n[[key]]\nname = \"{secret}\"\n"), form(2)),
        (table(TEST, "").replace("made", "mode"), form(4)),
        (table(TEST, &format!("ends = \"{secret}\"\n{good}")), form(5)),
        (table(TEST, "ends = 5\nclaims = {}"), form(5)),
        (table(TEST, "claims = 'hj_secret-secret'"), form(5)),
        (table(TEST, ""), form(1)),
        (format!("\n{}", table(secret, good)), key(2, KeyFault::Hash)),
        (table(&TEST[1..], good), key(1, KeyFault::Hash)),
        (table(EMPTY, good), key(1, KeyFault::NoKey)),
        (table(TEST, good).replace("k-9f86", "a b"), key(1, KeyFault::Name)),
        (table(TEST, good).replace("k-9f86", ""), key(1, KeyFault::Name)),
        (table(TEST, good).replace("10:00:00Z", "10:00:00"), key(1, KeyFault::Time)),
        (table(TEST, good).replace("2026-11-27T10:00:00Z", "10:00:00"), key(1, KeyFault::Time)),
        (table(TEST, good).replace("T10:00:00Z", ""), key(1, KeyFault::Time)),
        (table(TEST, &format!("ends = 2026-11-27T10:00:00Z\n{good}")), key(1, KeyFault::Ends)),
        (claims("sub = \"a\", exp = 5"), key(1, KeyFault::Taken)),
        (claims("sub = \"a\", iat = 5"), key(1, KeyFault::Taken)),
        (claims("sub = \"a\", jti = \"b\""), key(1, KeyFault::Taken)),
        (claims(""), key(1, KeyFault::Subject)),
        (claims("sub = \"\""), key(1, KeyFault::Subject)),
        (claims("sub = \"g\""), key(1, KeyFault::Subject)),
        (claims(&format!("sub = \"{}\"", "s".repeat(513))), key(1, KeyFault::Subject)),
        (claims("sub = \"a\", at = 2026-11-27"), key(1, KeyFault::Claim)),
        (claims("sub = \"a\", n = nan"), key(1, KeyFault::Claim)),
        (format!("{}\n{}", table(TEST, good), table(TEST, good)), key(7, KeyFault::SameName)),
        (
            format!("{}\n{}", table(TEST, good), table(TEST, good).replace("k-9f86", "b")),
            key(7, KeyFault::SameKey),
        ),
    ] {
        let found = parse(&text).unwrap_err();
        assert!(!found.to_string().contains("hj_"), "{found}");
        assert_eq!(found, error, "{text}");
    }
    let broken = parse(&format!("\n[[keys]]\nname = {secret}\n")).unwrap_err();
    assert!(broken.to_string().starts_with("line 3: the file is not TOML"), "{broken}");
    assert!(!broken.to_string().contains("secret"), "{broken}");
    assert_eq!(KeyList::parse(b"\xff").unwrap_err(), KeyListError::NotText);
}

#[test]
fn the_subjects_of_keys_that_are_gone_or_are_others_now_are_told() {
    let key = |sha256, sub: &str| table(sha256, &format!("claims = {{ sub = \"{sub}\" }}"));
    let before = parse(&format!("{}\n{}", key(TEST, "a"), key(OTHER, "b"))).unwrap();
    for (after, told) in [
        (format!("{}\n{}", key(OTHER, "b"), key(TEST, "a")), vec![]),
        (key(TEST, "a"), vec!["b"]),
        (format!("{}\n{}", key(TEST, "c"), key(OTHER, "b")), vec!["a"]),
        (String::new(), vec!["a", "b"]),
    ] {
        let after = parse(&after).unwrap();
        assert_eq!(before.subjects_not_as_in(&after).into_iter().collect::<Vec<_>>(), told);
    }
}
