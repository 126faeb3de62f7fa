//! Many questions at once, of friends and of strangers.

use futures_util::future::join_all;

use super::*;

#[tokio::test]
async fn a_thousand_first_requests_of_one_token_are_one_call() {
    let site = Site::answering(GOOD).await;
    site.hold(true);
    let introspection = introspection(&site, Terms { timeout: Duration::from_secs(10), ..Terms::default() });
    let all: Vec<_> = (0..1_000)
        .map(|_| {
            let introspection = Arc::clone(&introspection);
            tokio::spawn(async move { found(&introspection, TOKEN).await })
        })
        .collect();
    site.is_asked(1).await;
    site.hold(false);
    for each in join_all(all).await {
        assert!(each.unwrap().is_ok());
    }
    assert_eq!(site.asked().len(), 1);
    assert_eq!(introspection.metrics.counted(ISSUER, "active"), 1);
}

#[tokio::test]
async fn a_flood_of_strangers_texts_is_bounded_and_known_tokens_go_on() {
    let site = Site::answering(GOOD).await;
    let terms = Terms {
        concurrency: 4,
        timeout: Duration::from_secs(10),
        cache_ttl: Duration::from_millis(1),
        ..Terms::default()
    };
    let introspection = introspection(&site, terms);
    assert!(found(&introspection, TOKEN).await.is_ok());
    site.hold(true);
    let strangers: Vec<_> = (0..100)
        .map(|number| {
            let introspection = Arc::clone(&introspection);
            tokio::spawn(async move { found(&introspection, &format!("a-strangers-text-{number:06}")).await })
        })
        .collect();
    site.is_asked(1 + 4).await;
    while introspection.metrics.counted(ISSUER, "overloaded") < 96 {
        tokio::task::yield_now().await;
    }
    let key = Key { server: 0, token: TokenHash::of(TOKEN) };
    while matches!(introspection.answers.get(&key), Kept::Fresh(_)) {
        tokio::task::yield_now().await;
    }
    // Its time is over, so that it is asked about again, which the strangers do not keep it from.
    let known = {
        let introspection = Arc::clone(&introspection);
        tokio::spawn(async move { found(&introspection, TOKEN).await })
    };
    site.is_asked(1 + 4 + 1).await;
    site.hold(false);
    assert!(known.await.unwrap().is_ok());
    let strangers: Vec<_> = join_all(strangers).await.into_iter().map(|found| found.unwrap()).collect();
    let overloaded = strangers.iter().filter(|found| **found == Err(Reject::Overloaded)).count();
    assert_eq!((overloaded, site.asked().len()), (96, 6));
    assert_eq!(introspection.metrics.in_flight(), 0);
}

#[tokio::test]
async fn calls_of_a_second_are_bounded_too() {
    let site = Site::answering(r#"{"active":false}"#).await;
    let introspection = introspection(&site, Terms { rate: 3, ..Terms::default() });
    let mut refused = 0;
    for number in 0..100 {
        let found = found(&introspection, &format!("a-strangers-text-{number:06}")).await;
        refused += usize::from(found == Err(Reject::Overloaded));
    }
    // Some time passes meanwhile.
    assert!(refused > 0 && site.asked().len() + refused == 100, "{refused}");
    assert_eq!(found(&introspection, "a-strangers-text-000000").await, Err(Reject::Inactive), "it is known");
}
