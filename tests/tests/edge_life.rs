//! What becomes of verdicts inside HAProxy: real agents write them, a rule, a key, a policy or their time ends them, and HAProxys,
//! agents and sockets come and go.

#[path = "edge_life/checks.rs"]
mod checks;
#[path = "edge_life/sockets.rs"]
mod sockets;

use std::collections::BTreeSet;
use std::fs;

use integration_tests::http::Request;
use integration_tests::keys::{jwks, key};
use integration_tests::process::Signal;
use integration_tests::site::{Mode, Plan, SOURCE, Site};
use integration_tests::token::{now, token};
use integration_tests::under_load::clock::Clock;
use integration_tests::wait::eventually;
use serde_json::{Value, json};

fn bearer(algorithm: &str, claims: Value) -> Request {
    Request::get("/").bearer(&token(key(algorithm), claims))
}

fn user(name: &str) -> Request {
    bearer("ES256", json!({"sub": name}))
}

/// The keys of the verdicts that HAProxy has.
fn kept(site: &Site, proxy: usize) -> BTreeSet<String> {
    site.proxies[proxy].verdicts().into_iter().map(|(key, _)| key).collect()
}

/// The agents whose leases HAProxy has: names begin with the agent's.
fn leasing(site: &Site, proxy: usize) -> BTreeSet<String> {
    let leases = site.proxies[proxy].leases().into_iter();
    leases.filter_map(|(name, _)| Some(name.split_once('.')?.0.to_owned())).collect()
}

/// Makes tokens frequent until so many agents have written verdicts into each HAProxy.
fn warm_by(site: &Site, agents: usize) {
    let mut number = 0;
    eventually("each agent gives each HAProxy verdicts", || {
        number += 1;
        let request = user(&format!("crowd{number}"));
        for proxy in 0..site.proxies.len() {
            site.warm(proxy, "one of a crowd", &request);
        }
        (0..site.proxies.len()).all(|proxy| leasing(site, proxy).len() >= agents).then_some(())
    });
}

#[test]
fn a_rule_is_heeded_by_haproxy_itself_and_takes_its_verdict_out_of_the_map() {
    let site = Site::start(&Plan::default());
    site.warm(0, "bob", &user("bob"));
    let of_bob = kept(&site, 0);
    assert_eq!(of_bob.len(), 1, "{of_bob:?}");
    let alice = user("alice");
    site.warm(0, "alice", &alice);
    assert_eq!(kept(&site, 0).len(), 2);
    site.token_server.as_ref().unwrap().revoke("alice", &json!({"sub": "alice"}));
    site.comes_to(0, "the rule", 401, &alice);
    eventually("the verdict is deleted", || (kept(&site, 0) == of_bob).then_some(()));
    assert_eq!(site.send(0, &alice).header(SOURCE), Some("agent"));
    site.warm(0, "bob, as before", &user("bob"));
}

#[test]
fn a_rule_for_everybody_ends_every_verdict_and_those_that_still_hold_are_given_anew() {
    let site = Site::start(&Plan::default());
    let (stolen, good) = (bearer("ES256", json!({"sub": "alice", "device": "stolen"})), user("bob"));
    site.warm(0, "a stolen device", &stolen);
    site.warm(0, "bob", &good);
    site.token_server.as_ref().unwrap().revoke_for_everybody(&json!({"device": "stolen"}));
    site.comes_to(0, "the rule", 401, &stolen);
    site.warm(0, "bob, again", &good);
    assert_eq!(kept(&site, 0).len(), 1);
}

#[test]
fn the_token_of_a_removed_key_is_refused_though_haproxy_has_its_verdict() {
    for has_token_server in [true, false] {
        let site = Site::start(&Plan { has_token_server, ..Plan::default() });
        let (gone, stays) = (user("alice"), bearer("RS256", json!({"sub": "bob"})));
        site.warm(0, "a key that goes", &gone);
        site.warm(0, "a key that stays", &stays);
        let fresh = site.folder().join("keys.new");
        fs::write(&fresh, jwks([key("RS256")])).unwrap();
        fs::rename(&fresh, site.key_file()).unwrap();
        site.comes_to(0, "the key is gone", 401, &gone);
        site.warm(0, "the other key, again", &stays);
    }
}

#[test]
fn a_token_that_a_new_policy_refuses_is_refused_though_haproxy_has_its_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("agent.toml");
    let audiences = |names: &str| fs::write(&file, format!("JWT_AUDIENCES = [{names}]\n")).unwrap();
    audiences(r#""web", "old""#);
    let environment = vec![("JWT_CONFIG".to_owned(), file.display().to_string())];
    let site = Site::start(&Plan { agent_environment: environment, ..Plan::default() });
    let of = |audience: &str| bearer("ES256", json!({"aud": audience}));
    site.warm(0, "an audience that goes", &of("old"));
    site.warm(0, "an audience that stays", &of("web"));
    audiences(r#""web""#);
    site.agents[0].process.signal(Signal::HUP);
    site.comes_to(0, "the audience is gone", 401, &of("old"));
    site.warm(0, "the other audience, again", &of("web"));
}

#[test]
fn a_token_that_expires_is_let_in_no_longer_than_it_is_valid() {
    let site = Site::start(&Plan::default());
    let end = now() + 3;
    let request = bearer("ES256", json!({"exp": end}));
    site.warm(0, "a token that ends soon", &request);
    eventually("it has ended", || {
        let sent = now();
        let status = site.send(0, &request).status;
        assert!(sent < end || status == 401, "{status} at {sent}, its end being {end}");
        (sent > end).then_some(())
    });
}

#[test]
fn of_two_agents_each_gives_verdicts_and_ends_those_of_the_other() {
    let mut site = Site::start(&Plan { agents: 2, ..Plan::default() });
    warm_by(&site, 2);
    let request = user("alice");
    site.warm(0, "alice", &request);
    site.token_server.as_ref().unwrap().revoke("alice", &json!({"sub": "alice"}));
    site.comes_to(0, "the rule", 401, &request);

    // What the dead one has left counts for nothing soon, and the other one goes on.
    let before = leasing(&site, 0);
    site.agents[0].process.kill();
    let request = user("bob");
    site.warm(0, "bob, by the agent that is left", &request);
    site.token_server.as_ref().unwrap().revoke("bob", &json!({"sub": "bob"}));
    site.comes_to(0, "the rule, by the agent that is left", 401, &request);
    site.restart_agent(0, &[]);
    site.agents[0].wait_ready();
    site.agents[1].process.kill();
    let request = user("carol");
    site.warm(0, "carol, by the agent that is back", &request);
    assert!(leasing(&site, 0).difference(&before).next().is_some(), "its names are new");
    site.token_server.as_ref().unwrap().revoke("carol", &json!({"sub": "carol"}));
    site.comes_to(0, "the rule, by the agent that is back", 401, &request);
}

#[test]
fn when_the_clock_is_set_what_a_dead_agent_has_left_is_taken_out_lest_it_counts_again() {
    let mut site = Site::start(&Plan::default());
    let clock = Clock::start();
    site.restart_agent(0, &clock.environment());
    let has_cleared = || (site.agents[0].metric("edge_clears_total") >= 1).then_some(());
    eventually("the agent has removed what it found", has_cleared);
    let proxy = &site.proxies[0];
    proxy.ask(&format!("add map {} KEY 1|dead-0.1.0|body|x", proxy.map_file("verdicts")));
    assert_eq!(kept(&site, 0).len(), 1);
    clock.set(-60);
    eventually("the verdicts are gone", || kept(&site, 0).is_empty().then_some(()));
}

#[test]
fn one_agent_gives_two_haproxys_verdicts_and_ends_them_in_both() {
    let mut site = Site::start(&Plan { proxies: 2, ..Plan::default() });
    let request = user("alice");
    for proxy in [0, 1] {
        site.warm(proxy, "alice", &request);
    }
    // One of them goes: the other one is served as before.
    site.proxies[0].process.kill();
    let other = user("bob");
    site.warm(1, "bob, while the first HAProxy is down", &other);
    site.token_server.as_ref().unwrap().revoke("bob", &json!({"sub": "bob"}));
    site.comes_to(1, "the rule, while the first HAProxy is down", 401, &other);
    site.proxies[0].restart(Mode::Alone, &[]);
    site.comes_to(0, "the rule, at the new process", 401, &other);
    site.warm(0, "alice, at the new process", &request);
    site.token_server.as_ref().unwrap().revoke("alice", &json!({"sub": "alice"}));
    for proxy in [0, 1] {
        site.comes_to(proxy, "the rule", 401, &request);
    }
}

#[test]
fn a_reload_of_haproxy_is_noticed_and_its_new_process_is_given_verdicts() {
    for mode in [Mode::Alone, Mode::Master] {
        let mut site = Site::start(&Plan::default());
        site.proxies[0].restart(mode, &[]);
        let request = user("alice");
        for turn in ["before", "after"] {
            site.warm(0, turn, &request);
            site.proxies[0].reload();
            site.warm(0, "after a reload", &request);
        }
        site.token_server.as_ref().unwrap().revoke("alice", &json!({"sub": "alice"}));
        site.comes_to(0, "the rule", 401, &request);
    }
}
