use revocation::report::{Author, MAX_DECISIONS, Told};
use serde_json::{Value, json, value::to_raw_value};

use super::decisions::Reader;
use super::*;

fn agents() -> Agents {
    Agents::new(Shutdown::new(), AgentMetrics::default())
}

fn who(name: &str) -> Who {
    Who::of(&Author { name: name.to_owned(), version: "1".to_owned() })
}

fn told(number: usize) -> Told {
    Told {
        at: i64::try_from(number).unwrap(),
        id: Some(format!("id-{number}")),
        policy: Some("api".to_owned()),
        reason: "E_TKN_INVALID".to_owned(),
        detail: "signature".to_owned(),
        issuer: None,
        kid: None,
        alg: Some("ES256".to_owned()),
        subject: None,
    }
}

fn report(name: &str, numbers: std::ops::Range<usize>) -> Report {
    Report {
        agent: Author { name: name.to_owned(), version: "1".to_owned() },
        dropped: 3,
        totals: Totals { accepted: 5, ..Totals::default() },
        decisions: numbers.map(told).collect(),
        keys: None,
        streams: None,
        edge: None,
        ready: true,
        lag_ms: Some(7),
    }
}

fn view(agents: &Agents) -> Value {
    serde_json::to_value(agents.view(Instant::now())).unwrap()["agents"].take()
}

/// The lines that come next.
async fn lines(reader: &mut Reader) -> Vec<Value> {
    match reader.next().await {
        Some(Heard::Lines(lines)) => {
            let lines = String::from_utf8(lines.to_vec()).unwrap();
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_is_behind_when_it_has_not_asked_and_is_forgotten_in_the_end() {
    let agents = agents();
    agents.asks(who("a"), Instant::now());
    agents.reports(report("b", 0..0), Instant::now());
    tokio::time::advance(BEHIND_AFTER).await;
    agents.asks(who("b"), Instant::now());
    tokio::time::advance(Duration::from_millis(1)).await;
    let shown = view(&agents);
    assert_eq!((&shown[0]["behind"], &shown[0]["last_poll_ms"]), (&json!(true), &json!(2001)), "{shown}");
    assert_eq!(
        (&shown[0]["ready"], &shown[0]["totals"]),
        (&Value::Null, &Value::Null),
        "it reported nothing"
    );
    assert_eq!((&shown[1]["behind"], &shown[1]["last_poll_ms"]), (&json!(false), &json!(1)), "{shown}");
    let reported = (&shown[1]["last_report_ms"], &shown[1]["totals"]["accepted"], &shown[1]["dropped"]);
    assert_eq!(reported, (&json!(2001), &json!(5), &json!(3)), "{shown}");
    tokio::time::advance(FORGOTTEN_AFTER - Duration::from_secs(1)).await;
    let shown = view(&agents);
    assert_eq!((shown.as_array().unwrap().len(), &shown[0]["name"]), (1, &json!("b")), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn strangers_push_no_known_agent_out() {
    let agents = agents();
    for number in 0..=MAX_AGENTS {
        agents.asks(who(&format!("agent-{number:03}")), Instant::now());
    }
    let shown = view(&agents);
    assert_eq!(shown.as_array().unwrap().len(), MAX_AGENTS);
    assert_eq!(shown[0]["name"], json!("agent-000"));
    tokio::time::advance(FORGOTTEN_AFTER).await;
    agents.asks(who("late"), Instant::now());
    assert_eq!(view(&agents).as_array().unwrap().len(), 1, "there is room again");
}

#[tokio::test(start_paused = true)]
async fn keys_are_those_that_an_agent_told_last() {
    let agents = agents();
    let keys = |name: &str| to_raw_value(&json!({"sources": [{"source": name}]})).ok();
    agents.reports(Report { keys: keys("one"), ..report("a", 0..0) }, Instant::now());
    agents.reports(report("a", 0..0), Instant::now());
    let shown = |agents: &Agents| serde_json::to_value(agents.keys(Instant::now())).unwrap();
    assert_eq!(shown(&agents), json!({"a": [{"source": "one"}]}));
    agents.reports(Report { keys: keys("two"), ..report("a", 0..0) }, Instant::now());
    assert_eq!(shown(&agents), json!({"a": [{"source": "two"}]}));
}

#[tokio::test(start_paused = true)]
async fn a_reader_begins_with_the_last_ones_and_hears_what_comes() {
    let agents = agents();
    agents.reports(report("a", 0..3), Instant::now());
    let mut reader = agents.decisions().read(2).unwrap();
    let first = lines(&mut reader).await;
    let expected = json!({"agent": "a", "at": 1, "id": "id-1", "policy": "api", "reason": "E_TKN_INVALID", "detail": "signature", "alg": "ES256"});
    assert_eq!((first.len(), &first[0]), (2, &expected));
    assert_eq!(reader.next().await, Some(Heard::Silence));
    agents.reports(report("b", 3..4), Instant::now());
    assert_eq!(lines(&mut reader).await[0]["agent"], json!("b"));
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_told_how_much_it_lost_and_holds_no_other_up() {
    let agents = agents();
    let mut slow = agents.decisions().read(0).unwrap();
    for begin in (0..MAX_KEPT + MAX_DECISIONS).step_by(MAX_DECISIONS) {
        agents.reports(report("a", begin..begin + MAX_DECISIONS), Instant::now());
    }
    let mut heard = lines(&mut slow).await;
    let lost = usize::try_from(heard.remove(0)["lost"].as_u64().unwrap()).unwrap();
    assert!(lost >= MAX_DECISIONS, "{lost}");
    assert_eq!(heard[0]["at"], json!(lost), "the oldest that is kept");
    let fresh = agents.decisions().read(u64::MAX).unwrap();
    assert_eq!(fresh.next_number(), u64::try_from(lost).unwrap(), "what was before it is not lost to it");
}

#[tokio::test(start_paused = true)]
async fn more_decisions_than_an_agent_may_tell_are_not_taken() {
    let agents = agents();
    assert_eq!(agents.reports(report("a", 0..MAX_DECISIONS + 1), Instant::now()), MAX_DECISIONS);
}

#[tokio::test(start_paused = true)]
async fn texts_that_strangers_wrote_are_cut_and_break_no_line() {
    let agents = agents();
    let hostile = "</script>\n\"\u{1b}\u{2028}".repeat(1_000);
    let text = || Some(hostile.clone());
    let told = Told { kid: text(), issuer: text(), subject: text(), id: text(), ..told(1) };
    agents.reports(Report { decisions: vec![told], ..report("a\n{}", 0..0) }, Instant::now());
    let mut reader = agents.decisions().read(1).unwrap();
    let heard = lines(&mut reader).await;
    assert_eq!((heard.len(), &heard[0]["agent"]), (1, &json!("a?{}")));
    for name in ["kid", "issuer", "subject", "id"] {
        let shown = heard[0][name].as_str().unwrap();
        assert!(hostile.starts_with(shown.trim_end_matches('\u{2026}')), "{shown}");
        assert_eq!(shown.chars().count(), revocation::report::MAX_TEXT_CHARS + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn there_are_places_for_some_readers_and_each_is_free_again() {
    let agents = agents();
    let mut readers: Vec<Reader> =
        std::iter::from_fn(|| agents.decisions().read(0)).take(MAX_READERS + 1).collect();
    assert_eq!(readers.len(), MAX_READERS);
    drop(readers.pop());
    assert!(agents.decisions().read(0).is_some());
}

#[tokio::test(start_paused = true)]
async fn readers_are_told_what_there_is_and_then_end_with_the_process() {
    let end = Shutdown::new();
    let agents = Agents::new(end.clone(), AgentMetrics::default());
    agents.reports(report("a", 0..1), Instant::now());
    let mut reader = agents.decisions().read(1).unwrap();
    end.cancel();
    assert_eq!(lines(&mut reader).await.len(), 1);
    assert_eq!(reader.next().await, None);
}
