//! How large a rule and a set may be, and how much work one match may do. ms-users writes rules of about 100 bytes, two
//! conditions and two levels.

/// Bytes of one rule's JSON. Bounds what one rule costs in memory and in the store.
pub const MAX_RULE_BYTES: usize = 8 * 1024;

/// Levels of groups in one rule, the outermost included. Matching recurses once per level.
pub const MAX_DEPTH: usize = 8;

/// Comparisons in one rule. Bounds what one rule costs per match; the index counts on no more than 64.
pub const MAX_CONDITIONS: usize = 64;

/// Bytes of one regular expression.
pub const MAX_PATTERN_BYTES: usize = 1024;

/// Groups within groups in one regular expression. Reading it recurses once per level.
pub const MAX_PATTERN_DEPTH: usize = 20;

/// Characters and classes of one regular expression, those in a repeated part as often as they may be repeated.
pub const MAX_PATTERN_ATOMS: u64 = 2_000;

/// Bytes of one compiled regular expression, about.
pub(crate) const MAX_PROGRAM_BYTES: usize = 256 * 1024;

/// Bytes of the cache with which a regular expression is matched faster.
pub(crate) const MAX_PROGRAM_CACHE_BYTES: usize = 512 * 1024;

/// How often a regular expression that needs backtracking may step back on one text. At the limit it counts as a match.
pub(crate) const MAX_BACKTRACKS: usize = 10_000;

/// Bytes of a text that a regular expression that needs backtracking looks at; a longer one counts as a match. Parts of
/// such an expression may look at the whole rest of the text at every character, and those looks are not counted.
pub const MAX_BACKTRACKED_BYTES: usize = 1024;

/// Work of all regular expressions in one match, as bytes of text times characters of expression. At the limit the
/// rule at hand counts as a match. A step mostly takes a quarter of a nanosecond; 10 ns, and the match half a second, if
/// both the expressions and the text are made for that.
pub const MAX_MATCH_STEPS: u64 = 50_000_000;

/// Rules in one set.
pub const MAX_RULES: usize = 10_000_000;

/// Rules of one set that every match looks at, since they carry no equality that tells tokens apart.
pub const MAX_SCANNED_RULES: usize = 10_000;

/// Comparisons in those rules. Bounds a match without regular expressions to about half a millisecond.
pub const MAX_SCANNED_CONDITIONS: usize = 20_000;

/// Regular expressions in one set. Bounds their memory: a typical one takes 10 KiB.
pub const MAX_PATTERNS: usize = 256;

/// Those of them that need backtracking. Bounds the time of a match: each takes up to 70 ms, if both the expression and the
/// text are made for that; others take some microseconds.
pub const MAX_BACKTRACKING_PATTERNS: usize = 8;

/// Rules of one set that may stand under one value of one claim. Those above it are scanned instead, and thereby counted.
pub(crate) const MAX_RULES_PER_ANCHOR: usize = 64;

/// Paths (`a.b[0]`) in one set under which rules are found. Every match follows each of them.
pub(crate) const MAX_ANCHOR_PATHS: usize = 64;
