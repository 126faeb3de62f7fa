//! `token-server signals verify`: whether what the transmitter of a stream sends comes to the running server.

use std::time::Duration;

use clap::Args;
use serde_json::Value;
use service::exit;
use tokio::time::Instant;

use super::list::delivery;
use crate::cli::admin::Admin;
use crate::cli::duration::Seconds;
use crate::cli::error::CliError;
use crate::cli::outcome::Outcome;
use crate::cli::output::Output;
use crate::cli::percent::percent_encoded;

/// Arguments of `token-server signals verify`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Verify {
    /// The name of the stream's [[ssf]] table
    #[arg(value_name = "NAME")]
    name: String,
    /// How long to wait for the event: 30s, 5m. Transmitters may send it some minutes later
    #[arg(long, value_name = "TIME", default_value = "60s")]
    timeout: Seconds,
}

pub(super) async fn run(verify: &Verify, admin: &Admin, output: Output) -> Result<Outcome, CliError> {
    let name = percent_encoded(&verify.name);
    let patience = Duration::from_secs(verify.timeout.0.unsigned_abs());
    let begun = Instant::now();
    let mut answer = admin.post(&format!("/v1/signals/{name}/verify"), "").await?;
    let state = text(&answer, "state").ok_or(CliError::Incomplete { name: "state" })?.to_owned();
    let asked = format!(
        "asked the transmitter of {} for a verification event by {}; waiting for up to {} s",
        verify.name,
        delivery(&answer),
        patience.as_secs()
    );
    exit::say("token-server", &asked);
    let path = format!("/v1/signals/{name}/verifications/{}", percent_encoded(&state));
    while !is_heard(&answer) && begun.elapsed() < patience {
        let left = patience.saturating_sub(begun.elapsed());
        match tokio::time::timeout(left, admin.get(&path)).await {
            Ok(asked) => answer = asked?,
            Err(_) => break,
        }
    }
    if !is_heard(&answer) {
        // What came with the last moment counts, and what went wrong meanwhile.
        answer = admin.get(&path).await?;
    }
    output.answer(&answer, for_people)?;
    Ok(if is_heard(&answer) { Outcome::Done } else { Outcome::No })
}

fn is_heard(answer: &Value) -> bool {
    answer.get("heard").and_then(Value::as_bool) == Some(true)
}

fn text<'a>(answer: &'a Value, name: &str) -> Option<&'a str> {
    answer.get(name).and_then(Value::as_str)
}

fn for_people(answer: &Value) -> String {
    let stream = text(answer, "stream").unwrap_or_default();
    if is_heard(answer) {
        let after = answer.get("afterMs").and_then(Value::as_u64).unwrap_or_default();
        return format!("{stream}: the verification event came after {after} ms; the stream works");
    }
    let mut lines = vec![format!("{stream}: the verification event did not come")];
    if let Some(why) = answer.get("trouble").and_then(|trouble| text(trouble, "why")) {
        lines.push(format!("meanwhile: {why}"));
    }
    let delivery = delivery(answer);
    if delivery.contains("push") {
        lines.push(format!(
            "look at the transmitter: whether the stream is enabled, that it pushes to /ssf/{stream} at the address that leads here, with \
             the value of authorization_file, and what it was answered"
        ));
    }
    if delivery.contains("poll") {
        lines.push("look at poll_url, and whether the stream is enabled at the transmitter".to_owned());
    }
    lines.push(
        "where several token-servers share the stream, another may have heard it: ask each, `token-server signals list`; a slow \
         transmitter needs a larger --timeout"
            .to_owned(),
    );
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_came_is_told_with_its_delay_and_what_did_not_with_causes() {
        let heard = json!({ "stream": "okta", "delivery": ["push"], "heard": true, "afterMs": 412 });
        assert_eq!(for_people(&heard), "okta: the verification event came after 412 ms; the stream works");
        let silent = |delivery: Value| {
            let trouble = json!({ "at": "x", "why": "a token was refused: y" });
            for_people(&json!({ "stream": "okta", "delivery": delivery, "heard": false, "trouble": trouble }))
        };
        let (pushed, polled) = (silent(json!(["push"])), silent(json!(["poll"])));
        for told in [&pushed, &polled] {
            assert!(
                told.starts_with(
                    "okta: the verification event did not come\nmeanwhile: a token was refused: y\n"
                ),
                "{told}"
            );
        }
        assert!(pushed.contains("/ssf/okta") && !pushed.contains("poll_url"), "{pushed}");
        assert!(polled.contains("poll_url") && !polled.contains("/ssf/okta"), "{polled}");
    }
}
