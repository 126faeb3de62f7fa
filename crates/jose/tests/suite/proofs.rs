//! Proofs of possession (RFC 9449) as other implementations make them: each proves its request to us, by its own key alone.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jose::{
    Algorithm, AlgorithmSet, MAX_ML_DSA_PROOF_BYTES, MAX_PROOF_BYTES, Proof, ProofFault, ProofHeaders,
    ProofRules, ProvedRequest, TargetUri, TokenHash, UnixTime,
};
use serde_json::Value;

struct Made {
    by: String,
    algorithm: Algorithm,
    thumbprint: Vec<u8>,
    proof: String,
}

fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn data() -> Value {
    serde_json::from_str(include_str!("data/proofs.json")).unwrap()
}

fn made() -> Vec<Made> {
    let data = data();
    let text = |proof: &Value, name: &str| proof[name].as_str().unwrap().to_owned();
    let proofs = data["proofs"].as_array().unwrap().iter();
    proofs
        .map(|proof| Made {
            by: format!("{} {}", text(proof, "by"), text(proof, "alg")),
            algorithm: text(proof, "alg").parse().unwrap(),
            thumbprint: decode(&text(proof, "jkt")),
            proof: text(proof, "proof"),
        })
        .collect()
}

impl Made {
    /// The moment at which its maker says that it was made.
    fn issued(&self) -> UnixTime {
        let payload = decode(self.proof.split('.').nth(1).unwrap());
        let payload: Value = serde_json::from_slice(&payload).unwrap();
        UnixTime::from_secs(payload["iat"].as_i64().unwrap())
    }

    fn judge(&self, proof: &str, thumbprint: &[u8], rules: &ProofRules) -> Result<Proof, ProofFault> {
        let data = data();
        let request = ProvedRequest {
            token: &TokenHash::of(data["token"].as_str().unwrap()),
            thumbprint,
            method: data["method"].as_str().unwrap(),
            targets: &[TargetUri::parse(data["uri"].as_str().unwrap()).unwrap()],
            nonces: None,
        };
        Proof::verify(proof, &request, rules, &ProofHeaders::default(), self.issued())
    }
}

#[test]
fn proofs_of_other_implementations_prove_their_request() {
    let all = made();
    let algorithms: AlgorithmSet = all.iter().map(|made| made.algorithm).collect();
    assert_eq!(algorithms, ProofRules::ALGORITHMS, "each accepted algorithm is proved by another library");
    for made in all {
        let proof = made.judge(&made.proof, &made.thumbprint, &ProofRules::default());
        let forget_at = UnixTime::from_millis(made.issued().as_millis() + 65_000);
        assert_eq!(proof.map(|proof| proof.forget_at), Ok(forget_at), "{}", made.by);
    }
}

#[test]
fn none_of_them_proves_for_another_key_another_algorithm_or_with_a_damaged_signature() {
    let rules = ProofRules::default();
    for made in made() {
        let other = made.judge(&made.proof, &[7; 32], &rules);
        assert_eq!(other, Err(ProofFault::OtherKey), "{}", made.by);
        let others = ProofRules::ALGORITHMS.iter().filter(|algorithm| *algorithm != made.algorithm).collect();
        let rules_of_others = ProofRules { algorithms: others, max_age: Duration::from_secs(60) };
        let refused = made.judge(&made.proof, &made.thumbprint, &rules_of_others);
        assert_eq!(refused, Err(ProofFault::Algorithm), "{}", made.by);

        let (message, signature) = made.proof.rsplit_once('.').unwrap();
        let mut signature = decode(signature);
        signature[7] ^= 1;
        let forged = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
        assert_eq!(made.judge(&forged, &made.thumbprint, &rules), Err(ProofFault::Signature), "{}", made.by);
    }
}

#[test]
fn the_longest_of_them_fit_their_limits() {
    for made in made() {
        let is_post_quantum =
            matches!(made.algorithm, Algorithm::MlDsa44 | Algorithm::MlDsa65 | Algorithm::MlDsa87);
        let most = if is_post_quantum { MAX_ML_DSA_PROOF_BYTES } else { MAX_PROOF_BYTES };
        assert!(made.proof.len() <= most, "{}: {}", made.by, made.proof.len());
    }
}
