//! What must hold for every proof of possession (RFC 9449) and for every URI that one may name.

use std::sync::LazyLock;
use std::time::Duration;

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jose::{Proof, ProofFault, ProofHeaders, ProofRules, ProvedRequest, TargetUri, TokenHash, UnixTime};
use serde_json::Value;

/// The key of RFC 8037 appendix A, under which [`proof`] signs, and its thumbprint.
const SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const THUMBPRINT: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";

/// The request of RFC 9449 section 7.1, and its time.
const TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
const METHOD: &str = "GET";
const URI: &str = "https://resource.example.org/protectedresource";
const NOW: i64 = 1_562_262_618;

static PAIR: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_and_public_key(&decode(SEED), &decode(X)).unwrap());

fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn verify(proof: &str, method: &str) -> Result<Proof, ProofFault> {
    let request = ProvedRequest {
        token: &TokenHash::of(TOKEN),
        thumbprint: &decode(THUMBPRINT),
        method,
        targets: &[TargetUri::parse(URI).unwrap()],
        nonces: None,
    };
    Proof::verify(proof, &request, &ProofRules::default(), &ProofHeaders::default(), UnixTime::from_secs(NOW))
}

/// A header and a payload, parted by the first line feed, under a good signature: what we accept, serde_json reads as a proof
/// for this request. Without a line feed it is a whole proof.
pub fn proof(input: &[u8]) {
    let Some(end) = input.iter().position(|byte| *byte == b'\n') else {
        std::str::from_utf8(input).map(|text| verify(text, METHOD).is_ok()).ok();
        return;
    };
    let (header, payload) = (&input[..end], &input[end + 1..]);
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = PAIR.sign(message.as_bytes());
    let signed = |signature: &[u8]| format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
    let proof = match verify(&signed(signature.as_ref()), METHOD) {
        Ok(proof) => proof,
        Err(fault) => return assert_ne!(fault, ProofFault::Signature, "the signature is good"),
    };

    let mut forged = signature.as_ref().to_vec();
    forged[0] ^= 1;
    assert_eq!(verify(&signed(&forged), METHOD), Err(ProofFault::Signature));
    assert_eq!(verify(&signed(signature.as_ref()), "POST"), Err(ProofFault::Method));

    let header: Value = serde_json::from_slice(header).unwrap();
    assert!(header["typ"].as_str().unwrap().eq_ignore_ascii_case("dpop+jwt"));
    assert!(matches!(header["alg"].as_str(), Some("EdDSA" | "Ed25519")));
    assert!(header.get("crit").is_none() && header["jwk"].get("d").is_none());
    let payload: Value = serde_json::from_slice(payload).unwrap();
    assert_eq!(payload["htm"], METHOD);
    assert_eq!(TargetUri::parse(payload["htu"].as_str().unwrap()), TargetUri::parse(URI));
    assert!(!payload["jti"].as_str().unwrap().is_empty());
    assert_eq!(payload["ath"].as_str().unwrap(), "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
    let left = proof.forget_at.as_millis() - UnixTime::from_secs(NOW).as_millis();
    assert!((Duration::from_secs(5).as_millis()..=70_000).contains(&left.unsigned_abs().into()), "{left}");
}

/// A URI: its one spelling is that of itself, holds no query, and is that of the same URI with another query.
pub fn uri(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(target) = TargetUri::parse(text) else { return };
    assert_eq!(TargetUri::parse(target.as_str()).as_ref(), Ok(&target), "{text}");
    assert!(target.as_str().starts_with("http://") || target.as_str().starts_with("https://"));
    assert!(target.as_str().bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
    let (_, rest) = target.as_str().split_once("://").unwrap();
    let (_, path) = rest.split_once('/').unwrap();
    assert!(!path.contains(['?', '#']), "{text}");
    assert!(!path.split('/').any(|segment| matches!(segment, "." | "..")), "{text}");
    let bare = text.split(['?', '#']).next().unwrap();
    assert_eq!(TargetUri::parse(&format!("{bare}?a=/../b#c")).as_ref(), Ok(&target), "{text}");
}
