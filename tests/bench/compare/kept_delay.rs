//! The part `delay` where HAProxy keeps verdicts: from a rule written at the token-server to the first refusal of a token that
//! HAProxy has just let in by itself, under load, with the shipped file and two agents.

use integration_tests::keys::key;
use integration_tests::load::Prepared;
use integration_tests::site::{Plan, Site};
use integration_tests::socket::Address;
use integration_tests::token::{now, token};
use serde_json::{Value, json};

use crate::release::Release;
use crate::samples::{self, Sample};
use crate::targets::{Target, at_most};

/// Tokens that other clients send meanwhile, all of them frequent.
const TOKENS: usize = 100;

/// Measures on one release.
pub(crate) fn run(release: &Release) -> Value {
    let site = Site::start(&Plan { agents: 2, program: release.program.clone(), ..Plan::default() });
    let Address::Tcp(target) = site.proxies[0].address else {
        unreachable!("HAProxy listens on a port here")
    };
    let background = (0..TOKENS).map(|number| request(&format!("other-{number}"))).collect();
    let figures = samples::take(release, target, background, |number| sample(&site, number));
    println!("{release}, verdicts kept in HAProxy: {}", figures["ms_from_acknowledged"]);
    figures
}

/// Of each release that was measured, or that none was.
pub(crate) fn targets(figures: Option<&Value>) -> Vec<Target> {
    let target = |haproxy: &str, p99| {
        let name = format!("{haproxy}: a rule to its refusal, verdicts kept in HAProxy, p99");
        at_most(&name, "ms", p99, 50.0)
    };
    let Some(releases) = figures.and_then(Value::as_array) else {
        return vec![target("every release", None)];
    };
    let of_release = |figures: &Value| {
        let p99 = figures.pointer("/ms_from_acknowledged/p99").and_then(Value::as_f64);
        target(figures["haproxy"].as_str().unwrap_or_default(), p99)
    };
    releases.iter().map(of_release).collect()
}

fn request(subject: &str) -> Prepared {
    let claims = json!({"sub": subject, "exp": now() + 3_600});
    Prepared::get("/", &format!("Bearer {}", token(key("ES256"), claims)), 200)
}

/// Has HAProxy let a subject's token in by itself before the rule is written.
fn sample(site: &Site, number: usize) -> Sample {
    let subject = format!("user-{number}");
    let request = request(&subject);
    let ask = samples::let_in_by_haproxy(site, &subject, &request);
    let rule = json!({"sub": subject});
    Sample::of(site.token_server.as_ref().unwrap(), (&subject, &rule), ask)
}
