//! What others write into Redis: odd ends, other types, more than a group may have.

use integration_tests::stores::Redis;
use redis::Commands as _;

use super::{FOREVER, RedisBacked, eventually};
use crate::harness::{connect_socket, delete};

const KEY: &str = "{ms-users}jwt-rules:anna";

fn told(url: &str) -> [(&str, &str); 2] {
    [("TOKEN_SERVER__REDIS__URLS", url), ("TOKEN_SERVER__CACHE__TTL", FOREVER)]
}

#[test]
fn what_ms_users_never_removes_holds_and_is_not_removed() {
    let redis = Redis::start(&[]);
    let mut connection = redis.connect();
    let holding =
        ["0", "-0", "-1", "-5", "0.5", "-0.5", "0.999", "-1e300", "-inf", "inf", "4e9", "4000000000.5"];
    let ended = ["1", "1.5", "999.25"];
    for end in holding.iter().chain(&ended) {
        let () = connection.zadd(KEY, format!(r#"{{"rt":"{end}"}}"#), *end).unwrap();
    }
    let server = RedisBacked::start(&told(redis.url()));
    for (ends, verdict) in [(&holding[..], "revoked"), (&ended[..], "ok")] {
        for end in ends {
            assert_eq!(server.check("anna", end), verdict, "{end}");
        }
    }
    eventually("exactly the ended ones are removed", || redis.rules("anna") == 12);
}

#[test]
fn a_key_of_another_type_is_its_own_groups_fault_and_can_be_deleted() {
    let redis = Redis::start(&[]);
    redis.command(&["SET", KEY, "no rules"]);
    redis.write("ben", r#"{"rt":"x"}"#, 0);
    redis.write("carl", r#"{"rt":"ended"}"#, 1);
    redis.write("carl", r#"{"rt":"x"}"#, 0);
    let server = RedisBacked::start(&told(redis.url()));
    let listed = server.admin("/v1/rules");
    assert_eq!(listed.status, 200, "{}", listed.body);
    let groups = listed.json()["groups"].clone();
    assert_eq!((&groups[0]["group"], &groups[1]["group"]), (&"anna".into(), &"ben".into()));
    assert!(groups[0]["error"].as_str().unwrap().contains("no sorted set"), "{groups}");
    assert!(groups[1]["error"].is_null() && groups[1]["rules"] == 1, "{groups}");
    let page = server.admin("/v1/rules/anna");
    assert_eq!(page.status, 409, "{}", page.body);

    assert_eq!(server.detail("anna", "x"), "rules", "not known is not ok");
    assert_eq!(server.check("ben", "x"), "revoked");
    eventually("ended rules of others are removed", || redis.rules("carl") == 1);
    let deleted = delete(connect_socket(&server.socket), "/v1/rules/anna", "");
    assert_eq!((deleted.status, &deleted.json()["deleted"]), (200, &1.into()), "{}", deleted.body);
    assert_eq!(server.check("anna", "x"), "ok");
}

#[test]
fn more_rules_than_checks_may_cost_are_never_ok_and_push_out_none_that_ends_later() {
    let redis = Redis::start(&[]);
    let mut connection = redis.connect();
    let key = "{ms-users}jwt-rules:g";
    let () = connection.zadd(key, r#"{"exp":{"gt":3999999999},"rt":{"sw":"stolen"}}"#, 0).unwrap();
    let many: Vec<(i64, String)> =
        (0..10_000).map(|number| (3_000_000_000, format!(r#"{{"n":{{"lt":{number}}}}}"#))).collect();
    for some in many.chunks(1_000) {
        let () = connection.zadd_multiple(key, some).unwrap();
    }
    let server = RedisBacked::start(&told(redis.url()));
    eventually("the one that never ends is held", || server.detail("anna", "stolen") == "revoked");
    assert_eq!(server.detail("anna", "other"), "rules", "one of the others is not looked at");
    assert_eq!(server.metric("token_server_rules_beyond_limits"), 1);
    let refused = server.write_for_everybody(r#"{"iat":{"lt":20000}}"#);
    assert_eq!(refused.status, 507, "{}", refused.body);
    assert_eq!(redis.rules("g"), 10_001, "nothing was written");
    redis.command(&["ZREM", key, r#"{"n":{"lt":7}}"#]);
    redis.command(&["PUBLISH", "{ms-users}jwt-rules-changed", "g"]);
    eventually("within the limits all is known", || server.detail("anna", "other") == "ok");
}
