//! Where verification keys come from, for both programs: files, URLs and issuers (by discovery), each kept
//! fresh by a task of its own.
//!
//! [`KeySources`] says what an operator configured, [`KeySources::open`] makes [`Source`]s of it, [`keep_fresh`] loads one
//! of them again and again, and the [`KeyRing`] holds what all of them gave last; [`LiveKeys`] is all of that for one
//! configuration. What a key is, and whether a token
//! fits it, is the crate `jose`'s.

mod client;
mod discovery;
mod early;
pub mod explain;
mod file;
mod kids;
mod live;
mod load_error;
mod metrics;
mod outlook;
mod part;
mod per_kid;
mod refresh;
pub mod refusals;
mod report;
mod ring;
mod source;
mod sources;
mod timing;
pub mod trust;
mod url;
mod view;

pub use client::{
    Answered, AskError, Client, Configured, JSON, Question, Sent, Surroundings, basic_authorization, form,
    may_hear_secrets,
};
pub use discovery::{DiscoveryError, addresses};
pub use live::{LiveKeys, NoKeys};
pub use load_error::{FetchFault, LoadError};
pub use metrics::KeyMetrics;
pub use part::Place;
pub use per_kid::PerKid;
pub use refresh::keep_fresh;
pub use report::{Report, report};
pub use ring::{KeyRing, Keys, Newer};
pub use source::Source;
pub use sources::OpenError;
pub use timing::Timing;
pub use trust::KeySources;
pub use url::UrlSource;
pub use view::KeysView;
