//! Consul: ms-users writes a rule to Redis and then a key to Consul.

use integration_tests::stores::{Consul, Redis};

use std::time::Duration;

use super::{FOREVER, RedisBacked, eventually, throughout};

fn start(redis: &Redis, consul: &Consul, ttl: &str) -> RedisBacked {
    let url = consul.url();
    let server = RedisBacked::start(&[
        ("TOKEN_SERVER__REDIS__URLS", redis.url()),
        ("TOKEN_SERVER__CONSUL__URL", &url),
        ("TOKEN_SERVER__CACHE__TTL", ttl),
    ]);
    server.wait_until_complete();
    server
}

#[test]
fn a_key_in_consul_tells_of_a_rule_whatever_the_writers_clock_says() {
    let (redis, consul) = (Redis::start(&[]), Consul::start());
    let server = start(&redis, &consul, FOREVER);
    for (number, clock) in
        ["1700000000000", "1600000000000", "1800000000000", "0", "1"].into_iter().enumerate()
    {
        let rt = number.to_string();
        assert_eq!(
            (server.check("anna", &rt), server.check("ben", &format!("g{rt}"))),
            ("ok".into(), "ok".into())
        );
        redis.write("anna", &format!(r#"{{"rt":"{rt}"}}"#), 0);
        consul.tell("anna", clock);
        eventually("the rule of anna is read", || server.check("anna", &rt) == "revoked");
        redis.write("g", &format!(r#"{{"rt":"g{rt}"}}"#), 0);
        consul.tell("g", clock);
        eventually("the rule of everybody is read", || server.check("ben", &format!("g{rt}")) == "revoked");
    }
}

#[test]
fn what_was_written_while_consul_was_away_is_read_when_it_is_back() {
    let (redis, consul) = (Redis::start(&[]), Consul::start());
    let server = start(&redis, &consul, FOREVER);
    assert_eq!(server.check("anna", "x"), "ok");
    consul.freeze();
    redis.write("anna", r#"{"rt":"x"}"#, 0);
    eventually("a silent Consul vouches for nothing", || !server.is_complete());
    // An answer that is only late has missed nothing, and no source has told of this rule.
    let given_up = "changes in Consul are not heard; rules are read again";
    server.server.wait_for_log(|line| line["message"] == given_up);
    consul.thaw();
    eventually("everything is read again", || server.check("anna", "x") == "revoked");
    server.wait_until_complete();
}

#[test]
fn without_consul_rules_are_read_after_the_ttl() {
    let (redis, mut consul) = (Redis::start(&[]), Consul::start());
    let server = start(&redis, &consul, "1");
    assert_eq!(server.check("anna", "x"), "ok");
    consul.kill();
    redis.write("anna", r#"{"rt":"x"}"#, 0);
    eventually("the rule is read", || server.check("anna", "x") == "revoked");
    eventually("a dead Consul vouches for nothing", || !server.is_complete());
}

#[test]
fn a_consul_that_hears_of_no_rules_vouches_for_nothing() {
    let (redis, consul) = (Redis::start(&[]), Consul::start_untold());
    let url = consul.url();
    let server = RedisBacked::start(&[
        ("TOKEN_SERVER__REDIS__URLS", redis.url()),
        ("TOKEN_SERVER__CONSUL__URL", &url),
        ("TOKEN_SERVER__CACHE__TTL", "1"),
    ]);
    throughout(Duration::from_secs(3), "it has shown no key", || !server.is_complete());
    assert_eq!(server.check("anna", "x"), "ok");
    redis.write("anna", r#"{"rt":"x"}"#, 0);
    eventually("the rule is read after the time to live", || server.check("anna", "x") == "revoked");
    consul.tell("anna", "1");
    server.wait_until_complete();
}
