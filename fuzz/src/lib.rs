//! The properties that the fuzz targets share with the plain tests over the committed corpus.

#[path = "../../agent/tests/corpus/properties/mod.rs"]
pub mod agent;
#[path = "../../crates/jose/tests/corpus/properties.rs"]
pub mod jose;
#[path = "../../crates/jose/tests/corpus/proofs.rs"]
pub mod proofs;
#[path = "../../crates/rules/tests/corpus/properties.rs"]
pub mod rules;
#[path = "../../token-server/tests/corpus/properties/mod.rs"]
pub mod token_server;
