//! Servers that are broken, and what comes of it: no verdict, and nothing that is kept.

use super::*;

#[tokio::test]
async fn what_is_no_answer_is_no_verdict_and_never_kept() {
    let elsewhere = Site::answering(GOOD).await;
    let mut large = GOOD.trim_end_matches('}').to_owned();
    large.push_str(&format!(r#","blob":"{}"}}"#, "x".repeat(10 * 1024 * 1024)));
    let redirect = |to: &str| answer(&format!("307 Moved\r\nLocation: {to}"), "");
    for (what, bytes) in [
        ("500", answer("500 Broken\r\nContent-Type: application/json", GOOD)),
        ("401", answer("401 Unauthorized\r\nContent-Type: application/json", GOOD)),
        ("403", answer("403 Forbidden", "")),
        ("404", answer("404 Not Found", "")),
        ("204", "HTTP/1.1 204 No Content\r\n\r\n".to_owned()),
        ("201", answer("201 Created\r\nContent-Type: application/json", GOOD)),
        ("garbage", json("\u{1}garbage")),
        ("nothing", json("")),
        ("no HTTP", "garbage\r\n\r\n".to_owned()),
        ("10 MB", json(&large)),
        ("a page", answer("200 OK\r\nContent-Type: text/html", GOOD)),
        ("no type", answer("200 OK", GOOD)),
        ("another type", answer("200 OK\r\nContent-Type: application/token-introspection+jwt", GOOD)),
        ("a redirect to itself", redirect("/introspect")),
        ("a redirect elsewhere", redirect(elsewhere.url.as_str())),
        ("active as a text", json(&GOOD.replace("true", r#""true""#))),
        ("active as a number", json(&GOOD.replace("true", "1"))),
        ("no active", json(r#"{"token_type":"Bearer","exp":1700000600}"#)),
    ] {
        let site = Site::start([Does::Answer(bytes)]).await;
        let introspection = introspection(&site, Terms::default());
        for times in 1..=2 {
            let found = introspection.open(TOKEN, patient()).await;
            let left = found.left();
            let told = (found.claims.map(|_| ()), left, site.asked().len());
            assert_eq!(told, (Err(Reject::Introspection), Duration::ZERO, times), "{what}");
        }
        let failed = introspection.metrics.counted(ISSUER, "failed");
        assert_eq!((failed, introspection.answers.len()), (2, 0), "{what}");
        site.set(Does::Answer(json(GOOD)));
        assert!(found(&introspection, TOKEN).await.is_ok(), "{what}: it is over");
    }
    assert!(elsewhere.asked().is_empty());
}

#[tokio::test]
async fn what_is_refused_for_good_is_kept_for_a_short_time() {
    for (body, reject) in [
        (r#"{"active":false}"#, Reject::Inactive),
        (r#"{"active":true,"exp":1700000600}"#, Reject::TokenType),
        (r#"{"active":true,"token_type":"Bearer","iss":"https://other.example.com"}"#, Reject::Issuer),
        (r#"{"active":true,"token_type":"Bearer","exp":"soon"}"#, Reject::ClaimType),
    ] {
        let site = Site::answering(body).await;
        let introspection = introspection(&site, Terms::default());
        for _ in 0..3 {
            let found = introspection.open(TOKEN, patient()).await;
            assert_eq!(found.claims.as_ref().err(), Some(&reject), "{body}");
            assert!(found.left() <= Duration::from_secs(5) && found.left() > Duration::ZERO);
        }
        assert_eq!(site.asked().len(), 1, "{body}");
        let none_kept = Terms { negative_ttl: Duration::ZERO, ..Terms::default() };
        introspection.replace(settings([written(&site, "", none_kept)]), None);
        found(&introspection, TOKEN).await.unwrap_err();
        found(&introspection, TOKEN).await.unwrap_err();
        assert_eq!(site.asked().len(), 3, "{body}");
    }
}

#[tokio::test]
async fn a_server_that_hangs_costs_its_time_alone_and_nothing_is_kept() {
    let site = Site::start([Does::Hang]).await;
    let terms = Terms { timeout: Duration::from_millis(50), ..Terms::default() };
    let introspection = introspection(&site, terms);
    assert_eq!(found(&introspection, TOKEN).await, Err(Reject::Introspection));
    site.set(Does::Answer(json(GOOD)));
    let longer = Terms { timeout: Duration::from_secs(10), ..Terms::default() };
    introspection.replace(settings([written(&site, "", longer)]), None);
    assert!(found(&introspection, TOKEN).await.is_ok());
}

#[tokio::test]
async fn a_call_that_outlives_its_question_goes_on_and_is_the_answer_to_the_next() {
    let site = Site::answering(GOOD).await;
    site.hold(true);
    let introspection = introspection(&site, Terms { timeout: Duration::from_secs(10), ..Terms::default() });
    let gone = introspection.open(TOKEN, Instant::now()).await;
    assert_eq!(gone.claims.map(|_| ()), Err(Reject::Introspection));
    site.is_asked(1).await;
    site.hold(false);
    assert!(found(&introspection, TOKEN).await.is_ok());
    assert!(found(&introspection, TOKEN).await.is_ok());
    assert_eq!(site.asked().len(), 1);
}
