//! Pages of a group in Redis, while others write to it.

use std::collections::BTreeMap;
use std::sync::mpsc::{TryRecvError, channel};

use integration_tests::stores::Redis;
use redis::Commands as _;

use super::RedisBacked;

const KEY: &str = "{ms-users}jwt-rules:anna";

impl RedisBacked {
    /// How often each rule of anna comes, over all pages of this size; `between` is called after each page.
    fn walk(&self, limit: usize, mut between: impl FnMut(&[String])) -> BTreeMap<String, usize> {
        let mut seen = BTreeMap::new();
        let mut after = String::new();
        loop {
            let page = self.admin(&format!("/v1/rules/anna?limit={limit}{after}"));
            assert_eq!(page.status, 200, "{}", page.body);
            let page = page.json();
            let rules: Vec<String> = page["rules"]
                .as_array()
                .unwrap()
                .iter()
                .map(|rule| rule["text"].as_str().map_or_else(|| rule["rule"].to_string(), str::to_owned))
                .collect();
            assert!(rules.len() <= limit, "{rules:?}");
            between(&rules);
            for rule in rules {
                *seen.entry(rule).or_default() += 1;
            }
            let Some(next) = page["next"].as_str() else { return seen };
            after = format!("&after={next}");
        }
    }
}

#[test]
fn every_rule_comes_once_whatever_its_end_and_text() {
    let redis = Redis::start(&[]);
    let server = RedisBacked::start(&[("TOKEN_SERVER__REDIS__URLS", redis.url())]);
    let mut connection = redis.connect();
    let ends = ["0", "-0", "4000000000", "4000000000.5", "4e9", "inf", "-inf", "-7"];
    for (number, end) in ends.iter().cycle().take(40).enumerate() {
        let () = connection.zadd(KEY, format!(r#"{{"rt":{number}}}"#), end).unwrap();
    }
    let () = connection.zadd(KEY, b"not \xff UTF-8", 0).unwrap();
    let () = connection.zadd(KEY, "", 0).unwrap();
    for limit in [1, 2, 7, 41, 42, 43, 1_000] {
        let seen = server.walk(limit, |_| {});
        assert_eq!(seen.len(), 42, "{limit}");
        assert!(seen.values().all(|times| *times == 1), "{limit}: {seen:?}");
    }
    let removed = server.walk(5, |page| {
        for rule in page {
            redis.command(&["ZREM", KEY, rule]);
        }
    });
    assert_eq!(removed.len(), 42, "a page begins after a rule that is gone");
    let left: usize = connection.zcard(KEY).unwrap();
    assert_eq!(left, 1, "the one whose text is shown in another way");
}

#[test]
fn rules_that_stay_come_once_while_others_come_and_go() {
    const KEPT: usize = 150;
    let redis = Redis::start(&[]);
    let server = RedisBacked::start(&[("TOKEN_SERVER__REDIS__URLS", redis.url())]);
    for number in 0..KEPT {
        redis.write("anna", &format!(r#"{{"kept":{number}}}"#), i64::from(number % 2 == 0) * 4_000_000_000);
    }
    let (walking, over) = channel::<()>();
    let mut connection = redis.connect();
    std::thread::scope(|scope| {
        // Dropped with the walks, however they end.
        let walking = walking;
        scope.spawn(move || {
            while over.try_recv() == Err(TryRecvError::Empty) {
                // Before, between and behind the others.
                let passing: Vec<(i64, String)> = [-5, 0, 3_000_000_000, 5_000_000_000]
                    .iter()
                    .flat_map(|end| (0..20).map(move |number| (*end, format!(r#"{{"a":[{end},{number}]}}"#))))
                    .collect();
                let () = connection.zadd_multiple(KEY, &passing).unwrap();
                let texts: Vec<&String> = passing.iter().map(|(_, text)| text).collect();
                let () = connection.zrem(KEY, &texts).unwrap();
            }
        });
        let walks: Vec<_> = [3, 10, 40].iter().map(|limit| server.walk(*limit, |_| {})).collect();
        drop(walking);
        for seen in walks {
            for number in 0..KEPT {
                assert_eq!(seen.get(&format!(r#"{{"kept":{number}}}"#)), Some(&1), "{number}");
            }
        }
    });
}
