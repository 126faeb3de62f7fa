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
mod live;
mod metrics;
mod outlook;
mod part;
mod per_kid;
mod refresh;
pub mod refusals;
mod report;
mod ring;
mod sources;
pub mod trust;
mod url;
mod view;

pub use client::{Client, Configured, FetchFault, Surroundings};
pub use discovery::DiscoveryError;
pub use live::{LiveKeys, NoKeys};
pub use metrics::KeyMetrics;
pub use part::Place;
pub use per_kid::PerKid;
pub use refresh::{Source, Timing, keep_fresh};
pub use report::{Report, report};
pub use ring::{KeyRing, Keys, LoadError, Newer};
pub use sources::{KeySources, OpenError};
pub use url::UrlSource;
pub use view::KeysView;
