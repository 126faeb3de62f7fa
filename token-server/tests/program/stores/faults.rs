//! Redis killed, hung, emptied: nothing is let in that a durable rule forbids, and no request waits long.

use std::time::{Duration, Instant};

use integration_tests::stores::Redis;

use super::{FOREVER, RedisBacked, eventually, throughout};

/// A check may wait for a read, and this machine is slow at times; it must never wait for Redis.
const PROMPT: Duration = Duration::from_secs(2);

fn start(redis: &Redis, max_stale: &str) -> RedisBacked {
    let server = RedisBacked::start(&[
        ("TOKEN_SERVER__REDIS__URLS", redis.url()),
        ("TOKEN_SERVER__CACHE__TTL", "1"),
        ("TOKEN_SERVER__STORE__MAX_STALE", max_stale),
    ]);
    assert_eq!(server.write("anna", r#"{"rt":"x"}"#).status, 201);
    assert_eq!((server.check("anna", "x"), server.check("anna", "y")), ("revoked".into(), "ok".into()));
    server
}

#[test]
fn while_redis_is_down_what_is_known_holds_for_a_while_and_then_nothing_does() {
    let mut redis = Redis::start(&[]);
    let server = start(&redis, "4");
    redis.kill();
    let down = Instant::now();
    assert_ne!(server.detail("unknown-subject", "y"), "ok");
    throughout(Duration::from_secs(2), "known rules hold", || {
        assert_eq!(server.check("anna", "x"), "revoked");
        server.check("anna", "y") == "ok"
    });
    eventually("too old is not known", || {
        assert_ne!(server.detail("anna", "x"), "ok");
        server.detail("anna", "y") == "rules"
    });
    assert!(down.elapsed() > Duration::from_secs(3));
    eventually("the server is not ready", || server.admin("/ready").status == 503);
    assert_eq!(server.write("anna", r#"{"rt":"z"}"#).status, 503);
    redis.start_again();
    redis.write("anna", r#"{"rt":"y"}"#, 0);
    eventually("it comes back by itself", || server.detail("anna", "y") == "revoked");
    eventually("the server is ready", || server.admin("/ready").status == 200);
}

#[test]
fn a_redis_that_hangs_holds_up_no_check_and_lets_no_token_in() {
    let redis = Redis::start(&[]);
    let server = start(&redis, "0");
    redis.freeze();
    throughout(Duration::from_secs(5), "answers are prompt and never wrong", || {
        let asked = Instant::now();
        assert_ne!(server.detail("anna", "x"), "ok");
        assert_ne!(server.detail("unknown-subject", "x"), "ok");
        asked.elapsed() < PROMPT
    });
    eventually("nothing is known any more", || server.detail("anna", "y") == "rules");
    redis.thaw();
    eventually("it goes on", || server.detail("anna", "y") == "ok");
    assert_eq!(server.check("anna", "x"), "revoked");
}

#[test]
fn an_emptied_redis_keeps_its_name_and_takes_new_rules() {
    let redis = Redis::start(&[]);
    let (one, other) = (start(&redis, "30"), start(&redis, "30"));
    let names =
        || (one.events("nothing:0")["store_id"].clone(), other.events("nothing:0")["store_id"].clone());
    let before = names();
    assert_eq!(before.0, before.1);
    redis.command(&["FLUSHALL"]);
    eventually("rules that are gone are gone", || {
        one.check("anna", "x") == "ok" && other.check("anna", "x") == "ok"
    });
    eventually("the name is there again", || {
        redis::Commands::exists::<_, bool>(&mut redis.connect(), "{ms-users}token-server:store-id").unwrap()
    });
    assert_eq!(names(), before);
    assert_eq!(one.write("anna", r#"{"rt":"x"}"#).status, 201);
    eventually("the other hears it", || other.check("anna", "x") == "revoked");
}

#[test]
fn a_server_starts_without_redis_and_answers_nothing_until_it_is_there() {
    let mut redis = Redis::start(&[]);
    redis.kill();
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("admin.sock");
    let settings = [
        ("TOKEN_SERVER__REDIS__URLS", redis.url().as_ref()),
        ("TOKEN_SERVER__ADMIN__SOCKET", socket.as_os_str()),
    ];
    let server = crate::harness::Server::start_as(crate::harness::command(&settings));
    let payload = super::payload("anna", "x");
    assert_eq!(server.ask(&payload).status, 503);
    let ready = || crate::harness::get(crate::harness::connect_socket(&socket), "/ready", &[]).status;
    assert_eq!(ready(), 503);
    redis.start_again();
    redis.write("anna", r#"{"rt":"x"}"#, 0);
    eventually("the server is ready", || ready() == 200);
    assert_eq!(server.check(&payload), "revoked");
}

#[test]
fn a_server_killed_while_it_writes_loses_no_rule_that_it_acknowledged() {
    let redis = Redis::start(&["--notify-keyspace-events", "Kzg"]);
    let settings = [("TOKEN_SERVER__REDIS__URLS", redis.url()), ("TOKEN_SERVER__CACHE__TTL", FOREVER)];
    let (writer, reader) = (RedisBacked::start(&settings), RedisBacked::start(&settings));
    reader.wait_until_complete();
    let socket = writer.socket.clone();
    let (tell, told) = std::sync::mpsc::channel();
    let writing = std::thread::spawn(move || {
        let mut acknowledged: u32 = 0;
        while std::os::unix::net::UnixStream::connect(&socket).is_ok() {
            let rule = format!(r#"{{"rt":"{acknowledged}"}}"#);
            let written = std::panic::catch_unwind(|| super::write(&socket, "anna", &rule).status);
            if !matches!(written, Ok(201)) {
                break;
            }
            acknowledged += 1;
            // The test may have seen enough.
            tell.send(acknowledged).ok();
        }
        acknowledged
    });
    while told.recv().expect("the writer writes") < 50 {}
    writer.server.kill();
    let acknowledged = writing.join().expect("the writer ends");
    assert!(acknowledged >= 50);
    for number in 0..acknowledged {
        eventually("every acknowledged rule holds", || {
            reader.check("anna", &number.to_string()) == "revoked"
        });
    }
}
