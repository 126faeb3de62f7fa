//! The committed inputs of the fuzz target `rules`: what fuzzing has found stays found.

// Marked, so that what tests may do, helpers of tests may do too.
#[cfg(test)]
mod properties;
#[cfg(test)]
#[path = "../../../../fuzz/src/replay.rs"]
mod replay;

#[cfg(test)]
mod committed {
    #[test]
    fn every_committed_rule_keeps_the_property() {
        crate::replay::replay(env!("CARGO_MANIFEST_DIR"), "rules", crate::properties::rules);
    }
}
