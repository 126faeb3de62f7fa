//! What can go wrong with the store, each with its cure.

use std::path::PathBuf;

use super::Fault;
use crate::shadow::{MAX_SHADOW_RULES, MAX_SHADOW_RULES_PER_GROUP};

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be opened or made.
    #[error("store {}: {cause}; check that the directory exists and that this user may write there, or set TOKEN_SERVER__STORE__PATH", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The file is gone, and its marker tells that it was there.
    #[error(
        "store {}: the file is gone, and the rules that it held with it; restore it from a backup, or set \
         TOKEN_SERVER__STORE__NEW=true for one start to begin without rules (revoked tokens are let in again)", path.display()
    )]
    Vanished {
        /// The file.
        path: PathBuf,
    },
    /// The file has no bytes: what was in it is lost, or it was made by another program.
    #[error(
        "store {}: the file is empty, so that any rules that it held are lost; restore it from a backup, or set \
         TOKEN_SERVER__STORE__NEW=true for one start to begin without rules (revoked tokens are let in again)", path.display()
    )]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file holds another store than the one that was here.
    #[error(
        "store {}: the file is another store than the one that was here; put the right one back, or set \
         TOKEN_SERVER__STORE__NEW=true for one start to use this one with the rules that it has", path.display()
    )]
    AnotherStore {
        /// The file.
        path: PathBuf,
    },
    /// The file is no longer where it was opened; what is written is lost with this process.
    #[error("{0}")]
    Unreliable(Fault),
    /// Another process has the file open.
    #[error("store {}: in use by another process; stop it, or set TOKEN_SERVER__STORE__PATH to another file", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The file is not a store, or is damaged. It is left as it is.
    #[error("store {}: damaged or not a store ({cause}); nothing was changed: restore it from a backup, or move it away to begin with no rules", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        cause: String,
    },
    /// The file was written by a version that this one does not understand.
    #[error("store {}: has format {found}, this version reads format {expected}; use the version that wrote it", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What the file says.
        found: u64,
        /// What this version writes.
        expected: u64,
    },
    /// Reading or writing failed while running.
    #[error("store: {0}")]
    Failed(#[source] Box<redb::Error>),
    /// The store has not been reached since the start.
    #[error("store: not reached yet")]
    Unreached,
    /// Redis cannot be reached, or refuses; what was asked for may still have happened.
    #[error("redis: {0}")]
    Redis(#[from] redis::RedisError),
    /// The key of a group holds something that is no sorted set.
    #[error(
        "redis: the group's key holds no sorted set, so its rules are not known; delete the key, or all rules of the group"
    )]
    NotRules,
    /// Other writers came in between each time.
    #[error("redis: other writers changed the same rules each time; nothing was changed, try again")]
    Overtaken,
    /// The user of Redis may not read or write the stream of the audit trail.
    #[error(
        "redis: this user may not use the audit trail, without which no rule is changed: allow it +@stream \
         (docs/REVOCATION.md, \"What a user of Redis must be allowed\")"
    )]
    NoTrail,
    /// The key of the audit trail holds something that is no stream.
    #[error(
        "redis: the key <TOKEN_SERVER__REDIS__PREFIX>jwt-audit holds no stream, so that no change could be told of and none is \
         made; rename the key, or delete it"
    )]
    NotTheTrail,
    /// No server of `TOKEN_SERVER__REDIS__URLS` leads to a master.
    #[error("redis: no server of TOKEN_SERVER__REDIS__URLS leads to a master: {last}")]
    NoMaster {
        /// What the last one said.
        last: String,
    },
    /// A write is on the master but not on as many replicas as asked for.
    #[error(
        "redis: the write reached {reached} replicas, not the {wanted} of TOKEN_SERVER__REDIS__MIN_REPLICAS; it may be lost in a fail-over"
    )]
    TooFewReplicas {
        /// Replicas that acknowledged in time.
        reached: usize,
        /// Replicas that had to.
        wanted: usize,
    },
    /// The store did not answer in time; a write may still have happened.
    #[error("store: no answer within {milliseconds} ms")]
    Timeout {
        /// The limit.
        milliseconds: u128,
    },
    /// No random bytes for a name.
    #[error("store: the system gives no random bytes")]
    NoRandomness,
    /// The group has as many rules as it may have.
    #[error("the group has {max} rules, no more are allowed; delete some, or wait until some end")]
    GroupFull {
        /// The limit.
        max: usize,
    },
    /// With this rule every check of the group could cost more than is allowed.
    #[error("the group can not take this rule: {0}")]
    RuleRefused(#[from] rules::InsertError),
    /// There are as many shadow rules as there may be.
    #[error(
        "no more shadow rules are allowed: {MAX_SHADOW_RULES_PER_GROUP} in a group, {MAX_SHADOW_RULES} in all; \
         delete some, or wait until some end"
    )]
    ShadowsFull,
    /// With this shadow rule every check of the group could cost more than is allowed.
    #[error("the group can not take this shadow rule: {0}")]
    ShadowRefused(rules::InsertError),
    /// A rule that is tried must not look as if it were switched off.
    #[error("this rule is enforced already; delete it first")]
    Enforced,
    /// The process is stopping, so the outcome is not known.
    #[error("store: stopping")]
    Stopping,
}
