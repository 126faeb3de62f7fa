//! `token-server signals list`: the streams of shared signals, and what is known of each.

use serde_json::Value;

use crate::cli::admin::Admin;
use crate::cli::error::CliError;
use crate::cli::outcome::Outcome;
use crate::cli::output::Output;

pub(super) async fn run(admin: &Admin, output: Output) -> Result<Outcome, CliError> {
    output.answer(&admin.get("/v1/signals").await?, for_people)?;
    Ok(Outcome::Done)
}

fn for_people(answer: &Value) -> String {
    let streams = answer.get("streams").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if streams.is_empty() {
        return "no stream is configured: add [[ssf]] tables".to_owned();
    }
    streams.iter().map(stream).collect::<Vec<_>>().join("\n")
}

fn stream(stream: &Value) -> String {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let time = |name: &str| stream.get(name).map_or_else(|| "never".to_owned(), |told| text(Some(told)));
    let mut line = format!(
        "{}  {}  {}  heard {}  verified {}",
        text(stream.get("stream")),
        delivery(stream),
        text(stream.get("issuer")),
        time("heard"),
        time("verified")
    );
    if let Some(status) = stream.get("status") {
        line += &format!("  {} since {}", text(status.get("status")), text(status.get("since")));
        if let Some(reason) = status.get("reason") {
            line += &format!(" ({})", text(Some(reason)));
        }
    }
    if let Some(trouble) = stream.get("trouble") {
        line += &format!("\n  {}  {}", text(trouble.get("at")), text(trouble.get("why")));
    }
    line
}

/// How its tokens come.
pub(super) fn delivery(stream: &Value) -> String {
    let ways = stream.get("delivery").and_then(Value::as_array).into_iter().flatten();
    ways.filter_map(Value::as_str).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_stream_is_one_line_and_what_went_wrong_another() {
        let answer = json!({ "now": "x", "streams": [
            { "stream": "okta", "issuer": "https://idp.example.com", "delivery": ["push"] },
            {
                "stream": "other", "issuer": "https://o.example.com", "delivery": ["push", "poll"],
                "heard": "2026-11-28T01:00:00.000Z", "verified": "2026-11-28T00:00:00.000Z",
                "status": { "status": "paused", "since": "2026-11-28T01:00:00Z", "reason": "maintenance" },
                "trouble": { "at": "2026-11-28T01:00:01.000Z", "why": "a token was refused: x" },
            },
        ] });
        assert_eq!(
            for_people(&answer),
            "okta  push  https://idp.example.com  heard never  verified never\n\
             other  push and poll  https://o.example.com  heard 2026-11-28T01:00:00.000Z  verified 2026-11-28T00:00:00.000Z  \
             paused since 2026-11-28T01:00:00Z (maintenance)\n  2026-11-28T01:00:01.000Z  a token was refused: x"
        );
        assert!(for_people(&json!({ "streams": [] })).starts_with("no stream is configured"));
    }
}
