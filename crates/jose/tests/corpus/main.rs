//! The committed inputs of the fuzz targets, each with its property: what fuzzing has found stays found.

// Marked, so that what tests may do, helpers of tests may do too.
#[cfg(test)]
mod committed;
#[cfg(test)]
mod proofs;
#[cfg(test)]
mod properties;
#[cfg(test)]
#[path = "../../../../fuzz/src/replay.rs"]
mod replay;
