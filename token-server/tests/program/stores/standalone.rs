//! One Redis: keys as ms-users has them, two servers beside each other, users, TLS.

use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis::Commands as _;

use integration_tests::port::free_port;
use integration_tests::stores::Redis;

use super::{FOREVER, RedisBacked, eventually, throughout};
use crate::harness::{connect_socket, delete};

/// Settings of a server that reads again only what it was told of.
fn told(url: &str) -> Vec<(&str, &str)> {
    vec![("TOKEN_SERVER__REDIS__URLS", url), ("TOKEN_SERVER__CACHE__TTL", FOREVER)]
}

#[test]
fn a_rule_is_kept_as_ms_users_keeps_it() {
    let redis = Redis::start(&[]);
    redis.write("anna", r#"{"rt":"x","iat":{"lt":5}}"#, 0);
    let server = RedisBacked::start(&told(redis.url()));
    let iat =
        |iat: u64| server.server.check(&format!(r#"{{"sub":"anna","rt":"x","iat":{iat},"exp":4000000000}}"#));
    assert_eq!((iat(4), iat(5)), ("revoked".into(), "ok".into()));

    assert_eq!(server.write("ben", r#"{"rt": "x"}"#).status, 201);
    let members: Vec<(String, i64)> =
        redis.connect().zrange_withscores("{ms-users}jwt-rules:ben", 0, -1).unwrap();
    assert_eq!(members, [(r#"{"rt":"x"}"#.to_owned(), 0)]);
    assert_eq!(server.check("ben", "x"), "revoked");

    let groups = server.admin("/v1/rules?limit=1").json();
    assert_eq!((&groups["groups"][0]["group"], &groups["next"]), (&"anna".into(), &"anna".into()));
    let groups = server.admin("/v1/rules?limit=1&after=anna").json();
    assert_eq!((&groups["groups"][0]["rules"], &groups["next"]), (&1.into(), &serde_json::Value::Null));
    let deleted = delete(connect_socket(&server.socket), "/v1/rules/ben", "");
    assert_eq!(deleted.json()["deleted"], 1);
    assert_eq!(server.check("ben", "x"), "ok");
}

#[test]
fn rules_that_ended_a_minute_ago_are_removed_from_redis() {
    let redis = Redis::start(&[]);
    let now: i64 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap();
    for (rule, end) in [("1", 1), ("2", now - 3_600), ("3", now - 1), ("4", now + 3_600), ("5", 0)] {
        redis.write("anna", rule, end);
    }
    let _server = RedisBacked::start(&told(redis.url()));
    eventually("exactly those are gone", || {
        let left: Vec<String> = redis.connect().zrange("{ms-users}jwt-rules:anna", 0, -1).unwrap();
        left == ["5", "3", "4"]
    });
}

#[test]
fn what_one_server_writes_every_server_hears() {
    let redis = Redis::start(&[]);
    let (one, other) = (RedisBacked::start(&told(redis.url())), RedisBacked::start(&told(redis.url())));
    let name = |server: &RedisBacked| server.events("nothing:0")["store_id"].clone();
    assert_eq!(name(&one), name(&other));
    assert_eq!((other.check("anna", "x"), other.check("ben", "x")), ("ok".into(), "ok".into()));
    assert_eq!(one.write("anna", r#"{"rt":"x"}"#).status, 201);
    eventually("the other server has heard it", || other.check("anna", "x") == "revoked");
    assert_eq!(one.write_for_everybody(r#"{"rt":"x"}"#).status, 201);
    eventually("the other server has heard it", || other.check("ben", "x") == "revoked");
    assert!(!one.is_complete(), "a foreign writer would not be heard");
}

#[test]
fn two_servers_that_write_at_once_lose_nothing() {
    const RULES: usize = 100;
    let redis = Redis::start(&[]);
    let servers = [RedisBacked::start(&told(redis.url())), RedisBacked::start(&told(redis.url()))];
    std::thread::scope(|scope| {
        for (writer, server) in servers.iter().enumerate() {
            scope.spawn(move || {
                for number in 0..RULES {
                    let rule = format!(r#"{{"rt":"{writer}-{number}"}}"#);
                    assert_eq!(server.write("anna", &rule).status, 201);
                    assert_eq!(server.check("anna", &format!("{writer}-{number}")), "revoked");
                }
            });
        }
    });
    for server in &servers {
        for rule in (0..2).flat_map(|writer| (0..RULES).map(move |number| format!("{writer}-{number}"))) {
            eventually("every rule is heard", || server.check("anna", &rule) == "revoked");
        }
    }
}

#[test]
fn keyspace_notifications_tell_what_others_write() {
    let redis = Redis::start(&["--notify-keyspace-events", "Kzg"]);
    let server = RedisBacked::start(&told(redis.url()));
    server.wait_until_complete();
    assert_eq!(server.check("anna", "x"), "ok");
    redis.write("anna", r#"{"rt":"x"}"#, 0);
    eventually("the rule is heard of", || server.check("anna", "x") == "revoked");
    redis.command(&["DEL", "{ms-users}jwt-rules:anna"]);
    eventually("its end is heard of", || server.check("anna", "x") == "ok");
    redis.command(&["CONFIG", "SET", "notify-keyspace-events", "Kz"]);
    eventually("half of the notifications do not do", || !server.is_complete());
}

#[test]
fn without_any_notice_rules_are_read_again_after_the_ttl() {
    let redis = Redis::start(&[]);
    let settings = [("TOKEN_SERVER__REDIS__URLS", redis.url()), ("TOKEN_SERVER__CACHE__TTL", "1")];
    let server = RedisBacked::start(&settings);
    assert_eq!(server.check("anna", "x"), "ok");
    redis.write("anna", r#"{"rt":"x"}"#, 0);
    eventually("the rule is read", || server.check("anna", "x") == "revoked");
    throughout(Duration::from_millis(1_500), "nothing vouches", || !server.is_complete());

    let strict = [("TOKEN_SERVER__REDIS__URLS", redis.url()), ("TOKEN_SERVER__CACHE__TTL", "0")];
    let strict = RedisBacked::start(&strict);
    for number in 0..20 {
        let rt = number.to_string();
        assert_eq!(strict.check("anna", &rt), "ok");
        redis.write("anna", &format!(r#"{{"rt":"{rt}"}}"#), 0);
        assert_eq!(strict.check("anna", &rt), "revoked");
    }
}

#[test]
fn a_user_of_redis_needs_only_the_prefix() {
    let redis = Redis::start(&["--notify-keyspace-events", "Kzg"]);
    redis.command(&[
        "ACL",
        "SETUSER",
        "rules",
        "on",
        ">secret",
        "~other:*",
        "&other:*",
        "&__keyspace@0__:other:*",
        "&__keyspace@0__:other:jwt-rules:*",
        "-@all",
        "+@sortedset",
        "+@stream",
        "+@hash",
        "+@string",
        "+@connection",
        "+@pubsub",
        "+@transaction",
        "+del",
        "+scan",
        "+wait",
    ]);
    let url = format!("redis://rules:secret@127.0.0.1:{}", redis.port);
    let settings = [
        ("TOKEN_SERVER__REDIS__URLS", url.as_str()),
        ("TOKEN_SERVER__REDIS__PREFIX", "other:"),
        ("TOKEN_SERVER__CACHE__TTL", FOREVER),
    ];
    let server = RedisBacked::start(&settings);
    server.wait_until_complete();
    assert_eq!(server.write("anna", r#"{"rt":"x"}"#).status, 201);
    assert_eq!(server.check("anna", "x"), "revoked");
    for key in ["other:jwt-rules:anna", "other:token-server:notes:anna", "other:jwt-audit"] {
        assert!(redis.connect().exists::<_, bool>(key).unwrap(), "{key}");
    }
}

#[test]
fn redis_is_reached_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-keyout", &file("key"), "-out", &file("certificate"), "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let (port, tls_port) = (free_port().unwrap(), free_port().unwrap());
    let arguments = [
        "--port",
        &port.to_string(),
        "--tls-port",
        &tls_port.to_string(),
        "--tls-auth-clients",
        "no",
        "--tls-cert-file",
        &file("certificate"),
        "--tls-key-file",
        &file("key"),
        "--tls-ca-cert-file",
        &file("certificate"),
        "--notify-keyspace-events",
        "Kzg",
    ];
    let redis = Redis::start_at(port, &format!("redis://127.0.0.1:{port}"), &arguments);
    let url = format!("rediss://127.0.0.1:{tls_port}");
    let settings = [
        ("TOKEN_SERVER__REDIS__URLS", url.as_str()),
        ("TOKEN_SERVER__REDIS__CA_FILE", &file("certificate")),
        ("TOKEN_SERVER__CACHE__TTL", FOREVER),
    ];
    let server = RedisBacked::start(&settings);
    server.wait_until_complete();
    redis.write("anna", r#"{"rt":"x"}"#, 0);
    eventually("the rule is heard of", || server.check("anna", "x") == "revoked");
}
