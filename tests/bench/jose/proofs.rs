//! Proofs of possession (RFC 9449): the primitive alone against all that is asked of a proof beside a token that is known.

use std::hint::black_box;
use std::sync::Arc;
use std::time::SystemTime;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use integration_tests::proof::Holder;
use jose::{ProofSettings, Proofs, SeenProofs, ShownProof, Thumbprint, TokenHash, UnixTime};
use serde_json::json;

use crate::measure::{ENOUGH_CALLS, in_turns};
use crate::report::Row;

/// What all else may take above the primitive that gets the key's bytes, in microseconds.
pub(crate) const LIMIT: f64 = 5.0;

const URI: &str = "https://api.example/orders/4711";

pub(crate) fn rows(is_wanted: impl Fn(&str) -> bool) -> Vec<Row> {
    let algorithms: [(_, &'static dyn VerificationAlgorithm); 2] =
        [("ES256", &ECDSA_P256_SHA256_FIXED), ("EdDSA", &ED25519)];
    let rows = algorithms.into_iter().filter(|(algorithm, _)| is_wanted(&format!("proof {algorithm}")));
    rows.map(|(algorithm, verification)| row(algorithm, verification)).collect()
}

fn row(algorithm: &'static str, verification: &'static dyn VerificationAlgorithm) -> Row {
    let holder = Holder::of(algorithm);
    let token = holder.token(json!({}));
    let shown = |_| ShownProof {
        proof: holder.prove(&holder.claims(&token, "GET", URI)).into(),
        method: "GET".into(),
        place: Some((true, "api.example".into())),
        path: "/orders/4711".into(),
        request_id: Some("7F000001:ABCD_7F000001:1F90_65A0C0DE_0001:1".into()),
    };
    // Each is good once.
    let shown: Vec<_> = (0..ENOUGH_CALLS).map(shown).collect();
    let seen = Arc::new(SeenProofs::new(2 * ENOUGH_CALLS));
    let proofs = Proofs::new(ProofSettings::default(), Some(seen));
    let thumbprint = BASE64_URL_SAFE_NO_PAD.decode(holder.thumbprint()).unwrap();
    let thumbprint = Thumbprint::from_bytes(&thumbprint).unwrap();
    let hash = TokenHash::of(&token);
    let now = UnixTime::from_system(SystemTime::now());
    let mut next = shown.iter();
    let mut whole = || {
        let shown = black_box(next.next().unwrap());
        proofs.judge(shown, &hash, &thumbprint, None, now).unwrap();
    };

    let (message, text) = shown[0].proof.rsplit_once('.').unwrap();
    let signature = BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
    let message = black_box(message.as_bytes());
    let spki = holder.spki();
    let unparsed = UnparsedPublicKey::new(verification, &spki);
    let parsed = ParsedPublicKey::new(verification, &spki).unwrap();
    let mut read = || drop(black_box(BASE64_URL_SAFE_NO_PAD.decode(black_box(text))));
    let mut fresh = || unparsed.verify(message, &signature).unwrap();
    let mut ready = || parsed.verify_sig(message, &signature).unwrap();
    let [fresh, ready, text, whole] = in_turns([&mut fresh, &mut ready, &mut read, &mut whole]);
    Row { name: format!("proof {algorithm}"), fresh, ready, signature_text: Some(text), whole }
}
