//! Why nothing is written.

use std::path::PathBuf;

use super::names::{BadValue, ClaimName, PolicyName};
use super::paths::Path;
use super::shipped::Absent;

/// Why nothing is written.
#[derive(Debug, thiserror::Error)]
pub enum ConfigFault {
    /// Two policies for one request.
    #[error(
        "--policy {inner}={second}: it lies below --policy {outer}={first}, so that an odd spelling of it would have that one. \
         List what has a laxer policy, path by path, and leave the rest to *=NAME"
    )]
    Overlap {
        /// The path that covers the other.
        outer: Path,
        /// Its policy.
        first: PolicyName,
        /// The path that is covered.
        inner: Path,
        /// Its policy.
        second: PolicyName,
    },
    /// No policy for the rest.
    #[error("--policy: no policy for what is not listed; name the strictest one: --policy '*=NAME'")]
    NoRest,
    /// More than one policy for the rest.
    #[error("--policy *={second}: --policy *={first} is there already; keep the strictest one")]
    TwoRests {
        /// The first.
        first: PolicyName,
        /// Another.
        second: PolicyName,
    },
    /// Two claims, one header.
    #[error("--claims: {first} and {second} would both be the header {header}; leave one of them out")]
    OneHeader {
        /// A claim.
        first: ClaimName,
        /// Another.
        second: ClaimName,
        /// The name of both.
        header: String,
    },
    /// The folder's path cannot stand in a line.
    #[error("--out {folder}: {error}; name another folder, since its path stands in the lines", folder = .folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        error: BadValue,
    },
    /// The build is faulty.
    #[error(transparent)]
    Shipped(#[from] Absent),
}
