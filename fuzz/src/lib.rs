//! The properties that the fuzz targets share with the plain test over the committed corpus.

#[path = "../../crates/jose/tests/corpus/properties.rs"]
pub mod properties;
