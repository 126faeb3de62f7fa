//! How many rules a group may have.

/// Rules of one group. A check looks at few of them, but where others write too the group is read and parsed anew after
/// each change, which should be done within [`LOAD_WAIT`](super::LOAD_WAIT): parsing so many takes about 20 ms, ten times as many 250 ms.
pub const MAX_RULES_PER_GROUP: usize = 10_000;

/// Rules of everybody in a store that is ours alone: they are read once, and then changed in memory as in the store.
/// So many take about 300 MiB.
pub const MAX_RULES_OF_EVERYBODY: usize = 1_000_000;
