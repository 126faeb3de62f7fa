//! `GET /v1/events` of the real program.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::RedisBacked;
use crate::harness::{Server, connect, connect_socket, get};
use integration_tests::stores::Redis;

fn since(events: &Value) -> String {
    format!("{}:{}", events["epoch"].as_str().unwrap(), events["revision"])
}

#[test]
fn an_agent_is_told_each_change_at_once_and_silence_within_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("admin.sock");
    let server = Server::start(folder.path(), &[("TOKEN_SERVER__ADMIN__SOCKET", socket.as_os_str())]);
    let events = |since: &str| {
        let answer = get(connect(server.main), &format!("/v1/events?since={since}"), &[]);
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    };
    let first = events("unknown:7");
    assert_eq!((&first["changes"], &first["revision"]), (&json!("everything"), &json!(0)));
    assert!(first["complete_as_of"].is_u64(), "no other process writes to this store");

    let start = Instant::now();
    let idle = events(&since(&first));
    assert_eq!(idle["changes"], json!({"groups": []}));
    assert!((Duration::from_millis(400)..Duration::from_secs(9)).contains(&start.elapsed()));

    let position = since(&first);
    let waiting = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| events(&position));
        assert_eq!(super::write(&socket, "anna", r#"{"rt":"x"}"#).status, 201);
        waiting.join().unwrap()
    });
    assert_eq!(waiting["changes"], json!({"groups": ["anna"]}));
    let checked = server.ask(&super::payload("anna", "x")).json();
    assert_eq!((&checked["epoch"], &checked["revision"]), (&waiting["epoch"], &waiting["revision"]));
    assert_eq!(checked["results"][0]["vouched"], true);

    for query in ["?since=5", "?since=a:b", "?after=a:1"] {
        assert_eq!(get(connect(server.main), &format!("/v1/events{query}"), &[]).status, 422, "{query}");
    }
    assert_eq!(get(connect_socket(&socket), "/v1/events", &[]).status, 404, "it is for agents");
}

#[test]
fn a_gap_in_what_the_server_hears_is_a_gap_for_its_agents() {
    let mut redis = Redis::start(&["--notify-keyspace-events", "Kzg"]);
    let server = RedisBacked::start(&[("TOKEN_SERVER__REDIS__URLS", redis.url())]);
    server.wait_until_complete();
    let before = server.events("nothing:0");
    redis.kill();
    super::eventually("the feed is not complete", || !server.is_complete());
    redis.start_again();
    server.wait_until_complete();
    let after = server.events(&since(&before));
    assert_eq!(after["changes"], "everything");
    assert_eq!(after["epoch"], before["epoch"]);
}
