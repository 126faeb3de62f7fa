//! What is asked, and how long an answer is used.

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jose::SigningKey;
use serde_json::json;

use super::*;

#[tokio::test]
async fn the_question_is_a_form_and_says_who_asks_by_encoded_credentials() {
    let site = Site::answering(GOOD).await;
    let basic = introspection(&site, Terms::default());
    let expected = r#"{"active":true,"token_type":"Bearer","sub":"anna","exp":1700000600,"iss":"https://id.example.com"}"#;
    assert_eq!(found(&basic, "a+b/c~d==.0123456789").await, Ok(expected.to_owned()));
    let asked = site.asked().concat().to_ascii_lowercase();
    let pair = STANDARD.encode("edge%3A1:s3cret+of+the+client");
    for line in [
        "post /introspect http/1.1",
        "content-type: application/x-www-form-urlencoded",
        "accept: application/json",
        &format!("authorization: basic {pair}").to_ascii_lowercase(),
    ] {
        assert!(asked.contains(line), "{line} in {asked}");
    }
    assert!(asked.ends_with("token=a%2bb%2fc%7ed%3d%3d.0123456789&token_type_hint=access_token"), "{asked}");

    let mut post = written(&site, "", Terms::default());
    post.written.authentication = Authentication::Post("edge:1".to_owned());
    basic.replace(settings([post]), None);
    found(&basic, TOKEN).await.unwrap();
    let asked = site.asked().pop().unwrap();
    assert!(!asked.to_ascii_lowercase().contains("authorization:"));
    assert!(asked.ends_with("&client_id=edge%3A1&client_secret=s3cret+of+the+client"), "{asked}");
}

#[tokio::test]
async fn an_assertion_is_made_for_each_question_and_for_the_issuer_alone() {
    let site = Site::answering(GOOD).await;
    let private = Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", STANDARD.encode(private));
    let mut signing = written(&site, "", Terms { cache_ttl: Duration::ZERO, ..Terms::default() });
    signing.written.authentication =
        Authentication::PrivateKeyJwt { client: "edge:1".to_owned(), kid: Some("k".to_owned()) };
    signing.secret = None;
    signing.key = Some(file(&pem, |bytes| SigningKey::parse(bytes).map_err(|error| error.to_string())));
    let signing = Arc::new(Introspection::new(settings([signing]), None, &mut Registry::default(), || NOW));
    let mut seen = Vec::new();
    for times in 1..=2 {
        found(&signing, TOKEN).await.unwrap();
        let asked = site.asked().pop().unwrap();
        assert!(!asked.to_ascii_lowercase().contains("authorization:"));
        let (form, assertion) = asked.rsplit_once("&client_assertion=").unwrap();
        let expected = "&client_id=edge%3A1&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
        assert!(form.ends_with(expected), "{form}");
        let parts: Vec<serde_json::Value> = assertion
            .split('.')
            .take(2)
            .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
            .collect();
        assert_eq!(parts[0], json!({ "alg": "EdDSA", "typ": "JWT", "kid": "k" }));
        let mut claims = parts[1].clone();
        seen.push(claims["jti"].take());
        let now = NOW.as_millis() / 1_000;
        let expected = json!({
            "iss": "edge:1", "sub": "edge:1", "aud": ISSUER, "iat": now, "exp": now + 60, "jti": null,
        });
        assert_eq!((claims, seen.len()), (expected, times));
    }
    assert!(seen[0] != seen[1] && seen[0].as_str().unwrap().len() == 22);
}

#[tokio::test]
async fn an_answer_is_used_again_as_long_as_its_server_is_the_same() {
    let site = Site::answering(GOOD).await;
    let introspection = introspection(&site, Terms::default());
    for _ in 0..3 {
        let found = introspection.open(TOKEN, patient()).await;
        assert!(found.claims.is_ok());
        assert!(found.left() <= Duration::from_secs(30) && found.left() > Duration::from_secs(10));
    }
    assert_eq!(site.asked().len(), 1);
    introspection.replace(settings([written(&site, "", Terms::default())]), None);
    found(&introspection, TOKEN).await.unwrap();
    assert_eq!(site.asked().len(), 1, "a reload that changes nothing forgets nothing");

    site.set(Does::Answer(json(r#"{"active":false}"#)));
    let other = Terms { rate: 5, ..Terms::default() };
    introspection.replace(settings([written(&site, "", other)]), None);
    assert_eq!(found(&introspection, TOKEN).await, Err(Reject::Inactive));
    assert_eq!(found(&introspection, TOKEN).await, Err(Reject::Inactive));
    assert_eq!(site.asked().len(), 2);
    introspection.replace(settings([]), None);
    assert!(!introspection.is_on());
    assert_eq!(found(&introspection, TOKEN).await, Err(Reject::Unsupported));
}

#[tokio::test]
async fn a_token_is_asked_about_again_when_its_time_is_over_and_each_time_without_any() {
    let site = Site::answering(GOOD).await;
    let terms = Terms { cache_ttl: Duration::ZERO, ..Terms::default() };
    let each_time = introspection(&site, terms);
    for times in 1..=3 {
        let found = each_time.open(TOKEN, patient()).await;
        assert_eq!((found.claims.is_ok(), found.left(), site.asked().len()), (true, Duration::ZERO, times));
    }
    let short = Terms {
        cache_ttl: Duration::from_millis(1),
        negative_ttl: Duration::from_millis(1),
        ..Terms::default()
    };
    let short = introspection(&site, short);
    found(&short, TOKEN).await.unwrap();
    site.set(Does::Answer(json(r#"{"active":false}"#)));
    while found(&short, TOKEN).await.is_ok() {}
    assert_eq!(found(&short, TOKEN).await, Err(Reject::Inactive), "it ended at its server");
    site.set(Does::Answer(json(GOOD)));
    while found(&short, TOKEN).await.is_err() {}
}

#[tokio::test]
async fn no_server_but_the_one_of_the_longest_prefix_is_shown_a_token() {
    let (any, one, two) =
        (Site::answering(GOOD).await, Site::answering(GOOD).await, Site::answering(GOOD).await);
    let terms = Terms::default;
    let servers =
        [written(&any, "", terms()), written(&one, "ory_", terms()), written(&two, "ory_at_", terms())];
    let several = Arc::new(Introspection::new(settings(servers), None, &mut Registry::default(), || NOW));
    for token in ["ory_at_0123456789", "ory_0123456789abc", "or_0123456789abcd", "ORY_0123456789abc"] {
        found(&several, token).await.unwrap();
    }
    assert_eq!([&any, &one, &two].map(|site| site.asked().len()), [2, 1, 1]);
    several.replace(settings([written(&one, "ory_", terms())]), None);
    assert_eq!(found(&several, "other_0123456789").await, Err(Reject::Unsupported));
    assert_eq!(any.asked().len(), 2);
}

#[tokio::test]
async fn the_endpoint_is_what_the_metadata_say_and_is_looked_for_again_after_a_failure() {
    let site = Site::start([]).await;
    let issuer = site.url.as_str().trim_end_matches("/introspect").to_owned();
    let metadata = format!(r#"{{"issuer":"{issuer}","introspection_endpoint":"{}"}}"#, site.url);
    let good = format!(r#"{{"active":true,"token_type":"Bearer","iss":"{issuer}","exp":1700000600}}"#);
    let mut discovered = written(&site, "", Terms::default());
    (discovered.written.url, discovered.written.issuer) = (None, issuer.as_str().into());
    let discovered =
        Arc::new(Introspection::new(settings([discovered]), None, &mut Registry::default(), || NOW));
    let page = |body: &str| Does::Answer(json(body));
    *site.answers.lock().unwrap() = [
        Does::Answer(answer("404 Not Found", "")),
        page(&metadata),
        page(&good),
        page(&good),
        Does::Answer(answer("500 Broken", "")),
        page(&metadata),
        page(&good),
    ]
    .into();
    assert!(found(&discovered, "first-0123456789abc").await.is_ok());
    assert!(found(&discovered, "second-0123456789abc").await.is_ok());
    assert_eq!(found(&discovered, "third-0123456789abc").await, Err(Reject::Introspection));
    assert!(found(&discovered, "third-0123456789abc").await.is_ok());
    let lines: Vec<String> =
        site.asked().iter().map(|asked| asked.lines().next().unwrap().to_owned()).collect();
    let (post, first) = ("POST /introspect HTTP/1.1", "GET /.well-known/openid-configuration HTTP/1.1");
    let second = "GET /.well-known/oauth-authorization-server HTTP/1.1";
    assert_eq!(lines, [first, second, post, post, post, first, post]);

    for bad in [
        format!(r#"{{"issuer":"{issuer}/","introspection_endpoint":"{}"}}"#, site.url),
        format!(r#"{{"issuer":"{issuer}"}}"#),
        format!(r#"{{"issuer":"{issuer}","introspection_endpoint":"https://other.example.com/i"}}"#),
    ] {
        let mut other = written(&site, "", Terms::default());
        (other.written.url, other.written.issuer) = (None, issuer.as_str().into());
        let other = Arc::new(Introspection::new(settings([other]), None, &mut Registry::default(), || NOW));
        site.set(page(&bad));
        assert_eq!(found(&other, TOKEN).await, Err(Reject::Introspection), "{bad}");
    }
    assert!(!site.asked().concat().contains(TOKEN), "no token is shown before it is known to whom");
}
