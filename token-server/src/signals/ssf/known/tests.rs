use super::super::tests::stream;
use super::*;

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

fn of(stream_id: Option<&str>, news: News) -> OfStream {
    OfStream { stream_id: stream_id.map(str::to_owned), news }
}

fn verification(state: Option<&str>) -> News {
    News::Verification { state: state.map(str::to_owned) }
}

fn updated(status: Status) -> News {
    News::Updated { status, reason: None }
}

fn stream_with(fields: &str) -> Arc<Stream> {
    stream(&format!("issuer = 'https://i.example'\naudiences = ['a']\n{fields}"))
}

#[tokio::test(start_paused = true)]
async fn a_state_counts_that_was_asked_with_and_again() {
    let (known, stream) = (Known::default(), stream_with(""));
    let take = |state| known.take(&stream, 0, &of(Some("x"), verification(state)), NOW);
    assert_eq!(take(Some("one")), Err(SetFault::State));
    assert_eq!(known.facts("s").verified, None, "what is refused is not heard");
    assert_eq!(take(None), Ok(None), "a transmitter may send one by itself");
    assert_eq!(known.facts("s").verified, Some(NOW));

    known.expect(&stream.name, "one".to_owned());
    known.expect(&stream.name, "two".to_owned());
    let of_state = |state| known.verification("s", state, Duration::from_secs(1));
    assert_eq!(of_state("three").await, None);
    assert_eq!(of_state("one").await, Some(Verification::Awaited), "after a second of patience");
    assert_eq!(take(Some("two")), Ok(None));
    assert_eq!(of_state("two").await, Some(Verification::Heard(Duration::from_secs(1))));
    assert_eq!(of_state("one").await, Some(Verification::Awaited));
    assert_eq!(take(Some("two")), Ok(None), "its acknowledgement was lost");
    assert_eq!(take(Some("one")), Ok(None));
    assert_eq!(of_state("one").await, Some(Verification::Heard(Duration::from_secs(2))));
    assert_eq!(of_state("two").await, Some(Verification::Heard(Duration::from_secs(1))));

    for number in 0..MAX_ASKED {
        known.expect(&stream.name, number.to_string());
    }
    assert_eq!(take(Some("one")), Err(SetFault::State), "the oldest had to go");
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_told_when_it_comes() {
    let (known, stream) = (Arc::new(Known::default()), stream_with(""));
    known.expect(&stream.name, "one".to_owned());
    let waiting = Arc::clone(&known);
    let waiting =
        tokio::spawn(async move { waiting.verification("s", "one", Duration::from_secs(60)).await });
    tokio::time::sleep(Duration::from_secs(3)).await;
    known.take(&stream, 0, &of(None, verification(Some("one"))), NOW).unwrap();
    assert_eq!(waiting.await.unwrap(), Some(Verification::Heard(Duration::from_secs(3))));
}

#[test]
fn what_is_told_of_another_stream_is_refused_once_the_own_is_known() {
    let told = of(Some("other"), verification(None));
    let refused = Err(SetFault::OtherStream { expected: "own".to_owned() });
    let (known, configured) = (Known::default(), stream_with("stream_id = 'own'\n"));
    assert_eq!(known.take(&configured, 0, &told, NOW), refused);
    let stream = stream_with("");
    assert_eq!(known.take(&stream, 0, &told, NOW), Ok(None), "which it is is not known");
    known.named(&stream.name, "own".to_owned());
    assert_eq!(known.take(&stream, 0, &told, NOW), refused);
    assert_eq!(known.take(&stream, 0, &of(Some("own"), verification(None)), NOW), Ok(None));
    let paused = of(Some("other"), updated(Status::Paused));
    assert_eq!(known.take(&stream, 0, &paused, NOW), refused);
    assert_eq!(known.facts("s").standing, None);
}

#[test]
fn the_latest_status_counts_whatever_comes_late_or_again() {
    let (known, stream) = (Known::default(), stream_with(""));
    let take = |status, issued| {
        let told = known.take(&stream, issued, &of(Some("x"), updated(status)), NOW).unwrap();
        told.map(|standing| standing.status)
    };
    assert_eq!(take(Status::Paused, 10), Some(Status::Paused));
    assert_eq!(take(Status::Paused, 10), None, "it comes again");
    assert_eq!(take(Status::Enabled, 9), None, "it comes late");
    assert_eq!(known.facts("s").standing.unwrap().status, Status::Paused);
    assert_eq!(take(Status::Enabled, 11), Some(Status::Enabled));
    assert_eq!(take(Status::Disabled, 11), Some(Status::Disabled), "in the same second: as it comes");
}
