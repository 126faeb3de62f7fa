//! Checks that may take long, since the server may have to ask others.

use super::*;

/// A token of the form of those about which a server may have to ask others.
fn opaque(number: usize) -> String {
    format!("an-opaque-token-{number}")
}

#[tokio::test(start_paused = true)]
async fn a_check_that_may_take_long_goes_with_its_like_alone_and_holds_up_no_other() {
    let mut server = Server::start();
    let begin = Instant::now();
    let (_first, busy) = server.busy().await;
    let long = Duration::from_secs(2);
    let slow = [server.ask_within(&opaque(1), long), server.ask_within(&opaque(2), long)];
    let quick = server.ask("quick");
    busy.answer();
    let call = server.call().await;
    assert_eq!(call.tokens, ["quick"]);
    call.answer();
    said(quick).await.unwrap();
    let held = server.call().await;
    assert_eq!((held.tokens.clone(), held.budget_ms), (vec![opaque(1), opaque(2)], Some(2_000)));
    let quick = server.ask("quick too");
    let call = server.call().await;
    assert_eq!((call.tokens.as_slice(), begin.elapsed()), (&["quick too".to_owned()][..], Duration::ZERO));
    call.answer();
    said(quick).await.unwrap();
    advance(Duration::from_millis(1_900)).await;
    held.answer();
    for (asked, number) in slow.into_iter().zip([1, 2]) {
        assert_eq!(said(asked).await.unwrap(), opaque(number), "it had more time than others have");
    }
    assert!(!server.is_out());
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_opaque_tokens_leaves_the_calls_of_others_alone() {
    let mut server = Server::start();
    let mut held = Vec::new();
    for number in 0..MAX_CALLS_FOR_OTHERS {
        let asked = server.ask_within(&opaque(number), NEVER);
        held.push((asked, server.call().await));
    }
    let given_up = server.ask_within(&opaque(100), NEVER);
    let late = server.ask_within(&opaque(101), NEVER);
    drop(given_up);
    for _ in 0..3 {
        let (asked, call) = server.busy().await;
        call.answer();
        assert_eq!(said(asked).await.unwrap(), "first");
    }
    assert_eq!(server.calls_waiting(), 0, "no ninth call");
    let (first, call) = held.remove(0);
    call.answer();
    said(first).await.unwrap();
    let call = server.call().await;
    assert_eq!(call.tokens, [opaque(101)]);
    call.answer();
    said(late).await.unwrap();
}
