//! Each property over its committed inputs.

use crate::replay::replay;
use crate::{proofs, properties};

const HERE: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn every_committed_token_keeps_the_property() {
    replay(HERE, "token", properties::token);
}

#[test]
fn every_committed_header_keeps_the_property() {
    replay(HERE, "header", properties::header);
}

#[test]
fn every_committed_claims_set_keeps_the_property() {
    replay(HERE, "claims", properties::claims);
}

#[test]
fn every_committed_key_source_keeps_the_property() {
    replay(HERE, "key_set", properties::key_set);
}

#[test]
fn every_committed_encrypted_token_keeps_the_property() {
    replay(HERE, "jwe", properties::jwe);
}

#[test]
fn every_committed_proof_keeps_the_property() {
    replay(HERE, "proof", proofs::proof);
}

#[test]
fn every_committed_uri_keeps_the_property() {
    replay(HERE, "proof_uri", proofs::uri);
}
