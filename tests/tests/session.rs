//! The life of a session of ms-users through HAProxy, agent and token-server, with its rules in each form of Redis.

use std::fs;

use integration_tests::edge::Edge;
use integration_tests::http::Request;
use integration_tests::ms_users::{Issued, MsUsers, Pair, Writer, keys};
use integration_tests::setup::Setup;
use integration_tests::stores::{Cluster, Consul, Redis, SentinelGroup};
use integration_tests::token::now;
use integration_tests::wait::eventually;
use serde_json::json;
use tempfile::NamedTempFile;

/// A time to live that no test lives to see: what is seen was told.
const FOREVER: &str = "3600";

/// How often something that must not pass is tried again.
const TRIES: usize = 20;

/// A Redis that tells of every change of a key.
const TELLING: [&str; 2] = ["--notify-keyspace-events", "Kzg"];

/// An edge that annotates, and the file of keys that its token-server reads.
struct Users {
    edge: Edge,
    _keys: NamedTempFile,
}

impl Users {
    fn start(settings: &[(&'static str, &str)], consul: Option<&Consul>) -> Self {
        let file = NamedTempFile::new().unwrap();
        fs::write(file.path(), keys()).unwrap();
        let mut setup = Setup::annotating()
            .token_server_env("TOKEN_SERVER__JWE__KEYS_FILE", &file.path().display().to_string())
            .token_server_env("TOKEN_SERVER__CACHE__TTL", FOREVER);
        for (name, value) in settings {
            setup = setup.token_server_env(name, value);
        }
        if let Some(consul) = consul {
            setup = setup.token_server_env("TOKEN_SERVER__CONSUL__URL", &consul.url());
        }
        Self { edge: setup.start(), _keys: file }
    }

    /// What the backend hears of a token: whether it is valid, and why.
    fn verdict(&self, token: &Issued) -> (String, String) {
        let request = Request::get("/").header("Authorization", format!("JWT {}", token.token));
        let seen = self.edge.admits("annotated", &request);
        let header = |name| seen.header(name).unwrap_or_default().to_owned();
        if header("x-tkn-valid") == "1" {
            assert_eq!(header("x-tkn-body"), token.claims.to_string());
            assert_eq!(header("x-tkn-stateless"), "1");
        } else {
            assert_eq!(seen.header("x-tkn-body"), None);
        }
        (header("x-tkn-valid"), header("x-tkn-reason"))
    }

    fn is_valid(&self, token: &Issued) -> bool {
        self.verdict(token).0 == "1"
    }

    /// The verdict once the rules are known: a busy machine may read them later than a check waits for them.
    fn decision(&self, token: &Issued) -> (String, String) {
        eventually("it is decided", || {
            Some(self.verdict(token)).filter(|(_, reason)| reason != "E_BACKEND_UNAVAIL")
        })
    }

    fn accepts(&self, what: &str, token: &Issued) {
        assert_eq!(self.decision(token), ("1".to_owned(), "ok".to_owned()), "{what}");
    }

    fn comes_to_accept(&self, what: &str, token: &Issued) {
        eventually(what, || self.is_valid(token).then_some(()));
    }

    /// Refused sooner or later, and from then on.
    fn comes_to_refuse(&self, what: &str, token: &Issued) {
        let refusal = ("0".to_owned(), "E_TKN_INVALID".to_owned());
        eventually(what, || (self.verdict(token) == refusal).then_some(()));
        for _ in 0..TRIES {
            assert_eq!(self.decision(token), refusal, "{what}, once more");
        }
    }
}

fn redis_settings(urls: &str) -> Vec<(&'static str, &str)> {
    vec![("TOKEN_SERVER__REDIS__URLS", urls)]
}

fn sentinel_settings(urls: &str) -> Vec<(&'static str, &str)> {
    let mut settings = redis_settings(urls);
    settings.push(("TOKEN_SERVER__REDIS__MODE", "sentinel"));
    settings.push(("TOKEN_SERVER__REDIS__MASTER", "rules"));
    settings
}

fn cluster_settings(urls: &str) -> Vec<(&'static str, &str)> {
    let mut settings = redis_settings(urls);
    settings.push(("TOKEN_SERVER__REDIS__MODE", "cluster"));
    settings
}

/// Login, refresh, rotation, logout, reset, and rules of an administrator.
fn live(users: &Users, writer: Writer<'_>) {
    let service = MsUsers::default();
    let anna = service.login("anna", "*.localhost");
    let tv = service.login("anna", "tv.localhost");
    let ben = service.login("ben", "*.localhost");
    for (what, pair) in [("anna", &anna), ("anna's television", &tv), ("ben", &ben)] {
        users.accepts(what, &pair.access);
        let refresh = users.decision(&pair.refresh);
        assert_eq!(refresh, ("0".to_owned(), "E_TKN_ACCESS_TOKEN_REQUIRED".to_owned()), "{what}");
    }

    let refreshed = service.refresh(writer, &anna);
    users.comes_to_refuse("the access token before the refresh", &anna.access);
    users.accepts("the one after it", &refreshed.access);
    users.accepts("another session of the same user", &tv.access);
    let refreshed_again = service.refresh(writer, &refreshed);
    users.comes_to_refuse("the access token before the second refresh", &refreshed.access);
    users.accepts("the one after it", &refreshed_again.access);

    let rotated = service.rotate(writer, &tv);
    users.comes_to_refuse("the access token of the rotated pair", &tv.access);
    users.accepts("the one of the new pair", &rotated.access);

    service.logout(writer, &refreshed_again);
    users.comes_to_refuse("the access token of a session that ended", &refreshed_again.access);
    assert!(!users.is_valid(&anna.refresh), "its refresh token");
    users.accepts("the television's", &rotated.access);

    service.reset(writer, "anna");
    users.comes_to_refuse("all that anna had", &rotated.access);
    let after = service.login("anna", "*.localhost");
    users.accepts("what she has after it", &after.access);
    users.accepts("ben's, all the time", &ben.access);

    let from_now = |seconds: i64| i64::try_from(now()).unwrap() + seconds;
    let rule = json!({"metadata.roles": {"regex": "viewer"}, "aud": {"sw": "tv."}});
    service.write(writer, "ben", &rule, from_now(3_600));
    let tv = service.login("ben", "tv.localhost");
    users.comes_to_refuse("what a rule for ben names", &tv.access);
    users.accepts("what it does not name", &ben.access);
    users.accepts("the same of anna", &service.login("anna", "tv.localhost").access);
    service.write(writer, "ben", &rule, from_now(2));
    users.comes_to_accept("what the rule named, after its end", &tv.access);

    let rule = json!({"aud": "old-app"});
    let old = service.login("carl", "old-app");
    users.accepts("before a rule for everybody", &old.access);
    service.write(writer, "g", &rule, from_now(3_600));
    users.comes_to_refuse("what a rule for everybody names", &old.access);
    users.comes_to_refuse("the same of a user not seen before", &service.login("dora", "old-app").access);
    users.accepts("what it does not name", &ben.access);
    service.write(writer, "g", &rule, from_now(2));
    users.comes_to_accept("what the rule named, after its end", &old.access);
    users.comes_to_refuse("what was reset, all the time", &rotated.access);
}

fn writer(redis: &Redis) -> Writer<'_> {
    Writer { redis, consul: None }
}

#[test]
fn a_session_lives_and_ends_with_one_redis_and_consul() {
    let (redis, consul) = (Redis::start(&[]), Consul::start());
    let users = Users::start(&redis_settings(redis.url()), Some(&consul));
    live(&users, Writer { redis: &redis, consul: Some(&consul) });
}

#[test]
fn a_session_lives_and_ends_with_one_redis_that_tells_of_its_changes() {
    let redis = Redis::start(&TELLING);
    let users = Users::start(&redis_settings(redis.url()), None);
    live(&users, writer(&redis));
}

#[test]
fn a_session_lives_and_ends_with_one_redis_that_is_read_after_the_ttl() {
    let redis = Redis::start(&[]);
    let mut settings = redis_settings(redis.url());
    settings.push(("TOKEN_SERVER__CACHE__TTL", "1"));
    let users = Users::start(&settings, None);
    live(&users, writer(&redis));
}

#[test]
fn a_session_lives_and_ends_with_sentinel_and_consul() {
    let (group, consul) = (SentinelGroup::start(&[]), Consul::start());
    let users = Users::start(&sentinel_settings(&group.urls()), Some(&consul));
    live(&users, Writer { redis: &group.master, consul: Some(&consul) });
}

#[test]
fn a_session_lives_and_ends_with_a_cluster_and_consul() {
    let (cluster, consul) = (Cluster::start(&[]), Consul::start());
    let users = Users::start(&cluster_settings(&cluster.urls()), Some(&consul));
    live(&users, Writer { redis: &cluster.nodes[cluster.owner()], consul: Some(&consul) });
}

/// What a master's death leaves: a session that goes on, and one that ended before it.
struct MidSession {
    service: MsUsers,
    alive: Pair,
    ended: Pair,
}

impl MidSession {
    /// One of two sessions ends, and the replica knows.
    fn start(users: &Users, writer: Writer<'_>, replica: &Redis) -> Self {
        let service = MsUsers::default();
        let (alive, ended) = (service.login("anna", "*.localhost"), service.login("anna", "tv.localhost"));
        users.accepts("a session", &alive.access);
        users.accepts("another", &ended.access);
        service.logout(writer, &ended);
        users.comes_to_refuse("the session that ended", &ended.access);
        eventually("the replica has the rule", || (replica.rules("anna") == 1).then_some(()));
        Self { service, alive, ended }
    }

    /// Until `heir` is master nothing is accepted that the rule forbids; then it is obeyed.
    fn survive(&self, users: &Users, heir: Writer<'_>) {
        let nothing_forbidden_passes = || {
            assert!(!users.is_valid(&self.ended.access), "the session that ended");
            assert!(!users.is_valid(&self.ended.refresh), "its refresh token");
        };
        eventually("the replica is master", || {
            nothing_forbidden_passes();
            heir.redis.is_master().then_some(())
        });
        eventually("the session goes on", || {
            nothing_forbidden_passes();
            users.is_valid(&self.alive.access).then_some(())
        });
        let refreshed = eventually("the new master takes rules", || {
            nothing_forbidden_passes();
            heir.redis.is_writable().then(|| self.service.refresh(heir, &self.alive))
        });
        users.comes_to_refuse("the access token before the refresh", &self.alive.access);
        users.comes_to_accept("the one after it", &refreshed.access);
        users.comes_to_refuse("the session that ended", &self.ended.access);
    }
}

#[test]
fn no_ended_session_comes_back_when_the_master_is_killed() {
    let mut group = SentinelGroup::start(&TELLING);
    let users = Users::start(&sentinel_settings(&group.urls()), None);
    let session = MidSession::start(&users, writer(&group.master), &group.replica);
    group.master.kill();
    session.survive(&users, writer(&group.replica));
}

#[test]
fn no_ended_session_comes_back_when_the_master_hangs() {
    let group = SentinelGroup::start(&TELLING);
    let users = Users::start(&sentinel_settings(&group.urls()), None);
    let session = MidSession::start(&users, writer(&group.master), &group.replica);
    group.master.freeze();
    session.survive(&users, writer(&group.replica));
    group.master.thaw();
    users.comes_to_refuse("the session that ended, the old master being back", &session.ended.access);
    users.comes_to_refuse("the access token before the refresh", &session.alive.access);
}

#[test]
fn no_ended_session_comes_back_when_a_master_of_the_cluster_is_killed() {
    let mut cluster = Cluster::start(&TELLING);
    let owner = cluster.owner();
    let replica = cluster.replicate(owner, &TELLING);
    let users = Users::start(&cluster_settings(&cluster.urls()), None);
    let session = MidSession::start(&users, writer(&cluster.nodes[owner]), &replica);
    cluster.nodes[owner].kill();
    session.survive(&users, writer(&replica));
}
