use service::secret::Secret;

use super::*;

fn question(url: Url) -> Question {
    Question {
        url,
        sent: Sent::Json { bytes: b"{}".to_vec(), language: None },
        accept: JSON,
        authorization: None,
        patience: Duration::from_secs(10),
        max_bytes: 100,
    }
}

#[tokio::test]
async fn a_question_is_posted_to_configured_origins_alone_and_its_answer_told_whatever_its_status() {
    let (site, other) = (Site::plain().await, Site::plain().await);
    site.set("/good", Answer::new("200 OK", b"{}"));
    site.set("/busy", Answer::new("503 Busy\r\nRetry-After: 7", b"later"));
    site.set("/away", Answer::new(&format!("307 Away\r\nLocation: {}", other.url("/good")), b""));
    site.set("/large", Answer::new("200 OK", &[b'x'; 101]));
    site.set("/endless", Answer::Endless);
    other.set("/good", Answer::new("200 OK", b"{}"));
    let client = client_for(&fetch(), &site);
    let ask = async |url: Url| client.ask(question(url)).await.map_err(|error| error.to_string());

    let good = ask(site.url("/good")).await.unwrap();
    assert_eq!((good.status.as_u16(), good.retry_after, good.bytes.as_slice()), (200, None, &b"{}"[..]));
    let busy = ask(site.url("/busy")).await.unwrap();
    assert_eq!(
        (busy.status.as_u16(), busy.retry_after, busy.bytes.as_slice()),
        (503, Some(Duration::from_secs(7)), &b"later"[..])
    );
    for (url, expected) in [
        (site.url("/away"), "which is another origin"),
        (site.url("/large"), "the answer is over 100 bytes"),
        (site.url("/endless"), "the answer is over 100 bytes"),
        (other.url("/good"), "is not asked, since no configured URL is there"),
    ] {
        let why = ask(url.clone()).await.unwrap_err();
        assert!(why.contains(expected), "{url}: {why}");
    }
    assert!(other.asked.lock().unwrap().is_empty());
    let heads = site.asked.lock().unwrap().join("\n");
    assert!(heads.contains("POST /good ") && heads.contains("content-type: application/json"), "{heads}");
}

#[tokio::test]
async fn a_client_without_redirects_takes_them_for_the_answer() {
    let site = Site::plain().await;
    site.set("/moved", Answer::new("307 Moved\r\nLocation: /good\r\nContent-Type: Text/HTML; a=b", b"x"));
    site.set("/good", Answer::new("200 OK", b"{}"));
    let configured = [configured(site.url("/"))];
    let client = Client::without_redirects("test", &fetch(), &configured, &Surroundings::default()).unwrap();
    let answered = client.ask(question(site.url("/moved"))).await.unwrap();
    assert_eq!((answered.status.as_u16(), answered.media_type.as_str()), (307, "text/html"));
    assert_eq!(site.asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn who_asks_is_shown_for_one_question_and_never_in_clear() {
    let site = Site::plain().await;
    site.set("/", Answer::new("200 OK", b"{}"));
    let client = client_for(&fetch(), &site);
    let secret = || Some(Secret::new("Bearer token-of-one-question"));
    client.ask(Question { authorization: secret(), ..question(site.url("/")) }).await.unwrap();
    assert_eq!(site.header("authorization"), ["Bearer token-of-one-question"]);

    let public = Url::parse("http://id.example/").unwrap();
    let client =
        Client::new("test", &fetch(), &[configured(public.clone())], &Surroundings::default()).unwrap();
    let asked = client.ask(Question { authorization: secret(), ..question(public) }).await;
    assert!(matches!(asked, Err(AskError::InClear(_))), "{asked:?}");
    let broken = Some(Secret::new("Bearer a\nb"));
    let asked = client_for(&fetch(), &site)
        .ask(Question { authorization: broken, ..question(site.url("/")) })
        .await
        .unwrap_err();
    assert!(!asked.to_string().contains("Bearer"), "{asked}");
}

#[tokio::test]
async fn an_answer_that_does_not_end_is_told_apart_from_a_failure() {
    let site = Site::plain().await;
    site.set("/stalls", Answer::Stalls);
    let patience = Duration::from_millis(100);
    let asked = client_for(&fetch(), &site).ask(Question { patience, ..question(site.url("/stalls")) }).await;
    assert!(matches!(asked, Err(AskError::Unanswered(after)) if after == patience), "{asked:?}");
}
