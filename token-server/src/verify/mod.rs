//! The decision on a request of which a proxy asks, whatever the transport: plain words in, plain words out.
//!
//! The way of a [`Question`]: [`decider`] finds the policy, looks into the [`cache`] for what cannot change between two
//! requests, verifies and validates what is not there by [`Trusted`](crate::trust::Trusted), checks the rules, judges what the
//! client proves ([`possession`]), and says in an [`Answer`] whether the request may pass and which claims the application learns ([`handed_on`]). [`record`] counts and
//! logs. How a question is read from a request and an answer is written is the transport's.

mod answer;
mod cache;
mod decider;
mod handed_on;
mod metrics;
mod possession;
mod question;
mod record;

pub use answer::{Answer, Pass};
pub use cache::{Limits, Verified};
pub use decider::Decider;
pub use handed_on::HandedOn;
pub use question::{Guard, PolicyId, Question, Shown};

pub(crate) use decider::Settings;
pub(crate) use metrics::VerifyMetrics;
pub use possession::ProofTerms;
pub(crate) use possession::{Possession, ProofMemory};

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// What a file that knows HTTP would name.
    const HTTP: [&str; 3] = ["axum", "hyper", "http::"];

    fn names_http(text: &str) -> bool {
        text.lines().filter(|line| !line.trim_start().starts_with("//")).any(|line| {
            let told = line.split('"').step_by(2).collect::<String>();
            HTTP.iter().any(|name| told.contains(name))
        })
    }

    #[test]
    fn what_decides_names_no_type_of_http() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files: Vec<_> =
            ["decide.rs", "payload.rs", "good_tokens.rs", "trust.rs", "encrypted.rs", "feed.rs"]
                .map(|name| source.join(name))
                .into();
        for folder in ["verify", "continuity", "revocations", "rulebook", "changes"] {
            let entries = std::fs::read_dir(source.join(folder)).unwrap();
            files.extend(entries.map(|entry| entry.unwrap().path()));
        }
        files.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
        for file in files.iter().filter(|file| !file.ends_with("verify/mod.rs")) {
            assert!(!names_http(&std::fs::read_to_string(file).unwrap()), "{}", file.display());
        }
        assert!(names_http("use axum::http::Method;") && !names_http("// axum"));
    }
}
