//! How large a rule may be. ms-users writes rules of about 100 bytes, two conditions and two levels.

/// Bytes of one rule's JSON. Bounds what one rule costs in memory and in the store.
pub const MAX_RULE_BYTES: usize = 8 * 1024;

/// Levels of groups in one rule, the outermost included. Matching recurses once per level.
pub const MAX_DEPTH: usize = 8;

/// Comparisons in one rule. Bounds what one rule costs per match.
pub const MAX_CONDITIONS: usize = 64;
