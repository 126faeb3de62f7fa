use super::*;

/// A reader of challenges written from the grammar of RFC 9110 (sections 5.6.2, 5.6.4, 11.1 to 11.3), apart from what writes
/// them: scheme, one space, parameters separated by a comma. Escapes are read too, and then told.
fn read(challenge: &str) -> Option<(String, Vec<(String, String)>)> {
    let is_token = |letter: char| letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(letter);
    let (scheme, mut rest) = challenge.split_once(' ')?;
    if scheme.is_empty() || !scheme.chars().all(is_token) {
        return None;
    }
    let mut parameters = Vec::new();
    loop {
        let (name, value) = rest.split_once("=\"")?;
        if name.is_empty() || !name.chars().all(is_token) {
            return None;
        }
        // qdtext, but for obs-text, which is no ASCII; quoted-pair is refused, so that no escape is ever needed.
        let end = value.find(['"', '\\']).filter(|end| value[*end..].starts_with('"'))?;
        let text = &value[..end];
        if !text.chars().all(|letter| matches!(letter, '\t' | ' ' | '!' | '#'..='[' | ']'..='~')) {
            return None;
        }
        parameters.push((name.to_owned(), text.to_owned()));
        match value[end + 1..].strip_prefix(',') {
            Some(next) => rest = next.trim_start_matches([' ', '\t']),
            None if value[end + 1..].is_empty() => break,
            None => return None,
        }
    }
    let mut names: Vec<_> = parameters.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort_unstable();
    names.dedup();
    // Section 11.2: a parameter must not occur twice.
    (names.len() == parameters.len()).then(|| (scheme.to_owned(), parameters))
}

fn values(list: &[&str]) -> Vec<ListedValue> {
    list.iter().map(|value| value.parse().unwrap()).collect()
}

fn everything() -> Told {
    let resource: Resource = "https://api.example.com/mcp".parse().unwrap();
    Told {
        realm: "my api".parse().unwrap(),
        scopes: values(&["read", "https://api.example.com/write"]),
        resource_metadata: Some(MetadataUrl::from(&resource)),
        acr_values: values(&["urn:mfa", "pwd"]),
        max_age: NonZeroU32::new(300),
        ..Told::default()
    }
}

/// The status that DESIGN asks of the shipped files.
fn status(reject: Reject) -> u16 {
    match reject.reason().as_str() {
        "E_BACKEND_UNAVAIL" => 503,
        "E_TKN_FORBIDDEN" => 403,
        _ => 401,
    }
}

#[test]
fn each_way_to_be_refused_has_a_challenge_that_its_reader_understands() {
    for told in [Told::default(), everything()] {
        let challenges = Challenges::new(told).unwrap();
        for reject in Reject::ALL {
            let text = challenges.of(*reject, AuthScheme::Bearer);
            assert_eq!(text.is_none(), status(*reject) == 503, "{reject:?}: {text:?}");
            let Some(text) = text else { continue };
            let (scheme, parameters) = read(text).unwrap_or_else(|| panic!("{reject:?}: {text}"));
            let is_of_proof =
                matches!(reject, Reject::Proof | Reject::ProofTime | Reject::ProofReplayed | Reject::Nonce);
            assert_eq!(scheme, if is_of_proof { "DPoP" } else { "Bearer" });
            let of =
                |name: &str| parameters.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
            let is_missing = matches!(reject, Reject::Missing | Reject::Scheme);
            assert_eq!(of("error_description"), (!is_missing).then_some(reject.detail()), "{text}");
            let error = match (status(*reject), reject) {
                (401, Reject::Missing | Reject::Scheme) => None,
                (401, Reject::Nonce) => Some("use_dpop_nonce"),
                (401, _) if is_of_proof => Some("invalid_dpop_proof"),
                (401, Reject::Acr | Reject::AuthTime) => Some("insufficient_user_authentication"),
                (401, _) => Some("invalid_token"),
                _ => Some("insufficient_scope"),
            };
            assert_eq!(of("error"), error, "{text}");
        }
    }
}

#[test]
fn the_parameters_stand_in_one_order() {
    let base = concat!(
        r#"Bearer realm="my api", scope="read https://api.example.com/write", "#,
        r#"resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/mcp""#,
    );
    let plain = r#"Bearer realm="api""#;
    let invalid = r#"error="invalid_token", error_description="expired""#;
    let scope = r#"error="insufficient_scope", error_description="scope""#;
    let login = r#"error="insufficient_user_authentication", error_description="auth_time""#;
    for (told, reject, expected) in [
        (Told::default(), Reject::Missing, plain.to_owned()),
        (Told::default(), Reject::Expired, format!("{plain}, {invalid}")),
        (Told::default(), Reject::AuthTime, format!("{plain}, {login}")),
        (everything(), Reject::Scheme, base.to_owned()),
        (everything(), Reject::Expired, format!("{base}, {invalid}")),
        (everything(), Reject::Scope, format!("{base}, {scope}")),
        (
            everything(),
            Reject::AuthTime,
            format!(r#"{base}, {login}, acr_values="urn:mfa pwd", max_age="300""#),
        ),
    ] {
        assert_eq!(Challenges::new(told).unwrap().of(reject, AuthScheme::Bearer), Some(&*expected));
    }
    assert_eq!(Challenges::default(), Challenges::new(Told::default()).unwrap());
}

#[test]
fn the_error_is_told_in_the_scheme_that_was_used_and_the_other_one_is_offered_beside_it() {
    use AuthScheme::{Bearer, Dpop};
    let (bearer, proof) = (r#"Bearer realm="api""#, r#"DPoP realm="api", algs="ES256 EdDSA""#);
    let invalid = r#"error="invalid_token", error_description="binding""#;
    let forged = r#"error="invalid_dpop_proof", error_description="proof""#;
    let nonce = r#"error="use_dpop_nonce", error_description="nonce""#;
    for (schemes, used, reject, expected) in [
        (OfferedSchemes::Bearer, Bearer, Reject::Missing, bearer.to_owned()),
        (OfferedSchemes::Bearer, Dpop, Reject::Scheme, bearer.to_owned()),
        (OfferedSchemes::Bearer, Bearer, Reject::Binding, format!("{bearer}, {invalid}")),
        (OfferedSchemes::Bearer, Dpop, Reject::Binding, format!("{proof}, {invalid}")),
        (OfferedSchemes::Bearer, Dpop, Reject::Proof, format!("{proof}, {forged}")),
        (OfferedSchemes::Dpop, Bearer, Reject::Missing, proof.to_owned()),
        (OfferedSchemes::Dpop, Bearer, Reject::Scheme, proof.to_owned()),
        (OfferedSchemes::Dpop, Bearer, Reject::Binding, format!("{proof}, {invalid}")),
        (OfferedSchemes::Dpop, Dpop, Reject::Nonce, format!("{proof}, {nonce}")),
        (OfferedSchemes::Both, Bearer, Reject::Missing, format!("{bearer}, {proof}")),
        (OfferedSchemes::Both, Bearer, Reject::Binding, format!("{bearer}, {invalid}, {proof}")),
        (OfferedSchemes::Both, Dpop, Reject::Binding, format!("{proof}, {invalid}, {bearer}")),
        (OfferedSchemes::Both, Dpop, Reject::Nonce, format!("{proof}, {nonce}, {bearer}")),
    ] {
        let proof_algorithms = AlgorithmSet::of(&[Algorithm::EdDSA, Algorithm::ES256]);
        let told = Told { schemes, proof_algorithms, ..Told::default() };
        let challenges = Challenges::new(told).unwrap();
        assert_eq!(challenges.of(reject, used), Some(&*expected), "{schemes:?} {used:?} {reject:?}");
        assert_eq!(challenges.of(Reject::Overloaded, used), None);
    }
}

#[test]
fn dpop_is_offered_where_it_is_asked_for_or_clients_are_known_to_have_proofs() {
    use Binding::{Any, Dpop, IfBound, Ignore, Mtls};
    for (issuers, policy, has_proofs, expected) in [
        (&[IfBound][..], None, false, OfferedSchemes::Bearer),
        (&[IfBound], None, true, OfferedSchemes::Both),
        (&[IfBound], Some(Dpop), false, OfferedSchemes::Dpop),
        (&[IfBound], Some(Any), false, OfferedSchemes::Both),
        (&[IfBound], Some(Mtls), true, OfferedSchemes::Bearer),
        (&[Dpop], None, true, OfferedSchemes::Dpop),
        (&[Dpop, IfBound], None, false, OfferedSchemes::Both),
        (&[Any], None, false, OfferedSchemes::Both),
        (&[Mtls], None, true, OfferedSchemes::Bearer),
        (&[Ignore], None, true, OfferedSchemes::Bearer),
        (&[Ignore], Some(Dpop), false, OfferedSchemes::Dpop),
        (&[Mtls, IfBound], None, true, OfferedSchemes::Both),
    ] {
        assert_eq!(OfferedSchemes::of(issuers, policy, has_proofs), expected, "{issuers:?} {policy:?}");
    }
}

#[test]
fn what_would_need_an_escape_is_a_fault() {
    for text in
        ["", "a\"b", "a\\b", "a,b", "a=b", "a\r\nb", "a\tb", "r\u{e9}alm", "a;b", "${A}", "%[var(txn.a)]"]
    {
        assert_eq!(text.parse::<Realm>(), Err(ChallengeFault::Realm), "{text:?}");
    }
    assert!("My API ~/a-b_c.9".parse::<Realm>().is_ok());
    for text in ["", "a b", "a\"", "a\\", "\u{e9}", "a\n", "a\u{7f}", "a\0"] {
        assert_eq!(text.parse::<ListedValue>(), Err(ChallengeFault::Value), "{text:?}");
    }
    assert_eq!("urn:mace:incommon:iap:silver".parse::<ListedValue>().unwrap().as_str().len(), 28);
    for text in
        ["", "http://h/x", "https://", "https:///x", "https://?", "https://h/\"", "https://h/a b", "/x"]
    {
        assert_eq!(text.parse::<MetadataUrl>(), Err(ChallengeFault::MetadataUrl), "{text:?}");
    }
    assert_eq!("https://h/x?a=b".parse::<MetadataUrl>().unwrap().as_str(), "https://h/x?a=b");
}

#[test]
fn a_challenge_that_no_answer_has_room_for_is_a_fault() {
    let long = |bytes: usize| Told { scopes: values(&["a".repeat(bytes).as_str()]), ..Told::default() };
    assert_eq!(Challenges::new(long(MAX_CHALLENGE_BYTES)), Err(ChallengeFault::Length));
    let challenges = Challenges::new(long(MAX_CHALLENGE_BYTES - 200)).unwrap();
    assert!(
        Reject::ALL
            .iter()
            .filter_map(|reject| challenges.of(*reject, AuthScheme::Bearer))
            .all(|text| text.len() <= 4096)
    );
}

#[test]
fn the_reader_of_these_tests_refuses_what_is_no_challenge() {
    for text in [
        "Bearer",
        "Bearer ",
        r#"Bearer realm=api"#,
        r#"Bearer realm="a"b""#,
        r#"Bearer realm="a\"b""#,
        r#"Bearer realm="a" error="b""#,
        r#"Bearer realm="a", realm="b""#,
        r#"Bearer realm="a", "#,
        "Bearer realm=\"a\u{1}\"",
    ] {
        assert_eq!(read(text), None, "{text}");
    }
}
