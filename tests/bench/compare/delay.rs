//! The part `delay`: from a rule written at the token-server to the first refusal at HAProxy, under load.

use std::thread;
use std::time::Instant;

use integration_tests::http::Client;
use integration_tests::socket::Address;
use integration_tests::token::now;
use integration_tests::wait::DEADLINE;
use serde_json::{Value, json};

use crate::cell::{Cell, Way};
use crate::edge::{Edge, store};
use crate::release::Release;
use crate::samples::{self, PAUSE, Sample};
use crate::traffic::{Looks, good_token_of, one_token};

/// Measures on one release.
pub(crate) fn run(release: &Release) -> Value {
    let rules = store("standard", 100, 100);
    let cell = Cell::new(release, Way::Rules);
    let background = one_token("HS256", Looks::Everything);
    let edge = Edge::start(&cell, Some(&rules.path().join("rules.redb")), &background[..1]);
    samples::take(release, edge.address, background, |number| sample(&edge, number))
}

/// Has a subject's token be hot before the rule is written.
fn sample(edge: &Edge, number: usize) -> Sample {
    let subject = format!("user-{number}");
    let request = good_token_of(&subject);
    let mut client = Client::new(Address::Tcp(edge.address).connect(DEADLINE).unwrap());
    let mut ask = || {
        client.write(&request.bytes).unwrap();
        client.response().unwrap().status
    };
    let begin = Instant::now();
    let mut hits = 0;
    while hits < 3 {
        match ask() {
            200 => hits += 1,
            // Late answers of a busy machine are no word on the token.
            503 => assert!(begin.elapsed() < DEADLINE, "nothing but 503 for {subject}"),
            other => panic!("{other} for a good token of {subject}"),
        }
        thread::sleep(PAUSE);
    }
    let rule = json!({"iat": {"lte": now()}});
    Sample::of(edge.token_server.as_ref().unwrap(), (&subject, &rule), ask)
}
