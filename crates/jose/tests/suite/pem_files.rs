//! Which keys are taken from a file of PEM blocks, and why the others are not.

use jose::{Algorithm, Curve, KeyRules, KeySet, KeySetError, Profile, SkipReason};

use crate::support::{GOOD, STRICT, Signer, refusal};

const MS_USERS: KeyRules = KeyRules { profile: Profile::MsUsers, ..STRICT };
const SMALL_RSA: &str = include_str!("data/rsa1024.pub.pem");
const CERTIFICATE: &str = include_str!("data/rsa2048.crt.pem");

#[test]
fn small_rsa_is_refused_in_every_other_form() {
    for rules in [STRICT, MS_USERS] {
        let Err(KeySetError::NoneUsable(skipped)) = KeySet::parse(SMALL_RSA.as_bytes(), &rules) else {
            panic!("taken")
        };
        assert_eq!(skipped[0].reason, SkipReason::ModulusSize { bits: 1024, min: 2048, max: 8192 });
    }
}

#[test]
fn a_pem_file_holds_any_number_of_public_keys_and_certificates() {
    let signers = [
        Algorithm::RS256,
        Algorithm::ES256,
        Algorithm::ES384,
        Algorithm::ES512,
        Algorithm::EdDSA,
        Algorithm::MlDsa44,
        Algorithm::MlDsa65,
        Algorithm::MlDsa87,
    ];
    let signers = signers.map(|algorithm| (algorithm, Signer::generate(algorithm)));
    let mut text = String::from("# keys of issuer.example\n");
    for (_, signer) in &signers {
        text.push_str(&signer.pem());
        text.push_str("\n-----BEGIN PRIVATE KEY-----\nbroken\n");
    }
    text.push_str(CERTIFICATE);
    let set = KeySet::parse(text.as_bytes(), &STRICT).unwrap();
    assert_eq!(set.len(), 9);
    assert_eq!(set.skipped().len(), 8);
    for (algorithm, signer) in &signers {
        assert_eq!(refusal(&signer.plain_token(*algorithm, GOOD), &set), None, "{algorithm}");
    }
    assert_eq!(refusal(include_str!("data/rsa2048.jwt").trim(), &set), None);

    let Signer::Rsa(pair) = &signers[0].1 else { panic!("not RSA") };
    let pkcs1 = pem::encode(&pem::Pem::new(
        "RSA PUBLIC KEY",
        aws_lc_rs::signature::KeyPair::public_key(pair).as_ref(),
    ));
    let set = KeySet::parse(pkcs1.as_bytes(), &STRICT).unwrap();
    assert_eq!(refusal(&signers[0].1.plain_token(Algorithm::RS256, GOOD), &set), None);
}

#[test]
fn pem_blocks_that_are_no_public_key_are_left_out_with_a_reason() {
    let block = |label: &str, der: &[u8]| pem::encode(&pem::Pem::new(label, der));
    let spki = Signer::generate(Algorithm::ES256).spki();
    let compressed = {
        let algorithm = [
            0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7,
        ];
        let parity = 2 + (spki[90] & 1);
        [&[0x30, 0x39][..], &algorithm, &[3, 0x22, 0, parity], &spki[27..59]].concat()
    };
    let mut off_curve = spki.clone();
    *off_curve.last_mut().unwrap() ^= 1;
    for (text, expected) in [
        (block("PUBLIC KEY", &spki[1..]), SkipReason::Pem),
        (block("PUBLIC KEY", &[&spki[..], &[0]].concat()), SkipReason::Pem),
        (block("PUBLIC KEY", &off_curve), SkipReason::Point(Curve::P256)),
        (block("PUBLIC KEY", &compressed), SkipReason::Point(Curve::P256)),
        (block("CERTIFICATE", &spki), SkipReason::Pem),
        (block("PRIVATE KEY", &spki), SkipReason::PrivateOnly),
        (block("ENCRYPTED PRIVATE KEY", &spki), SkipReason::PrivateOnly),
        (block("EC PRIVATE KEY", &spki), SkipReason::PrivateOnly),
        (block("CERTIFICATE REQUEST", &spki), SkipReason::Pem),
        ("-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----\n".to_owned(), SkipReason::Pem),
        ("-----BEGIN PUBLIC KEY-----\n".to_owned(), SkipReason::Pem),
    ] {
        let Err(KeySetError::NoneUsable(skipped)) = KeySet::parse(text.as_bytes(), &STRICT) else {
            panic!("taken: {text}")
        };
        assert_eq!(skipped[0].reason, expected, "{text}");
    }
}
