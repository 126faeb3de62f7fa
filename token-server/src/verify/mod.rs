//! The decision on a request of which a proxy asks, whatever the transport: plain words in, plain words out.
//!
//! The way of a [`Question`]: [`decider`] finds the policy, looks into the [`cache`] for what cannot change between two
//! requests, verifies and validates what is not there by [`Trusted`](crate::trust::Trusted), checks the rules, and says in an
//! [`Answer`] whether the request may pass and which claims the application learns ([`handed_on`]). [`record`] counts and
//! logs. How a question is read from a request and an answer is written is the transport's.

mod answer;
mod cache;
mod decider;
mod handed_on;
mod metrics;
mod question;
mod record;

pub use answer::{Answer, Challenge, Pass};
pub use cache::{Limits, Verified};
pub use decider::Decider;
pub use handed_on::HandedOn;
pub use question::{Guard, PolicyId, Question, Shown};

pub(crate) use decider::Settings;
pub(crate) use metrics::VerifyMetrics;
