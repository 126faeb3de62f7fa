//! `TOKEN_SERVER__VERIFY__DPOP_*`: what proofs of possession must be (DPoP, RFC 9449), and what is remembered of them.

use std::ops::RangeInclusive;
use std::time::Duration;

use jose::{
    Algorithm, AlgorithmSet, MIN_NONCE_SECRET_BYTES, NonceSecret, ProofRules, ProofSettings, TargetOrigin,
};
use service::settings::Settings;

use crate::verify::ProofTerms;

pub(super) const ALGORITHMS: &str = "TOKEN_SERVER__VERIFY__DPOP_ALGORITHMS";
pub(super) const MAX_AGE: &str = "TOKEN_SERVER__VERIFY__DPOP_MAX_AGE";
pub(super) const ORIGINS: &str = "TOKEN_SERVER__VERIFY__DPOP_ORIGINS";
pub(super) const REPLAY: &str = "TOKEN_SERVER__VERIFY__DPOP_REPLAY";
pub(super) const REPLAY_SIZE: &str = "TOKEN_SERVER__VERIFY__DPOP_REPLAY_SIZE";
pub(super) const NONCE: &str = "TOKEN_SERVER__VERIFY__DPOP_NONCE";
pub(super) const NONCE_SECRET_FILE: &str = "TOKEN_SERVER__VERIFY__DPOP_NONCE_SECRET_FILE";

/// The range of [`MAX_AGE`], seconds. Each proof is remembered for as long.
pub(super) const AGES: RangeInclusive<u64> = 1..=3600;
/// The range of [`REPLAY_SIZE`].
pub(super) const SIZES: RangeInclusive<usize> = 1..=100_000_000;
/// Who refuses a proof that was used before.
const REPLAYS: &[(&str, bool)] = &[("server", true), ("off", false)];
/// Whether proofs need a nonce.
const NONCES: &[(&str, bool)] = &[("off", false), ("required", true)];

/// How many proofs are remembered where nothing else is said.
const USUAL_SIZE: usize = 1_000_000;

/// Reads the settings, and whether one of them is another than the usual one: clients have proofs then.
pub(super) fn read(settings: &mut Settings) -> (ProofTerms, bool) {
    let max_age = settings.parse(MAX_AGE, "seconds").unwrap_or(60);
    if !AGES.contains(&max_age) {
        let (least, most) = AGES.into_inner();
        settings.fault(MAX_AGE, format!("expected {least} to {most} seconds"));
    }
    let remembered = settings.parse(REPLAY_SIZE, "a number of proofs").unwrap_or(USUAL_SIZE);
    if !SIZES.contains(&remembered) {
        let (least, most) = SIZES.into_inner();
        settings.fault(REPLAY_SIZE, format!("expected {least} to {most} proofs"));
    }
    let origins = settings
        .parse_list::<TargetOrigin>(ORIGINS, "origins such as https://api.example.com, without a path");
    let rules = ProofRules {
        algorithms: algorithms(settings).unwrap_or(ProofRules::ALGORITHMS),
        max_age: Duration::from_secs(max_age),
    };
    let remembered = Some(remembered).filter(|_| settings.word(REPLAY, REPLAYS).unwrap_or(true));
    let needs_nonce = settings.word(NONCE, NONCES).unwrap_or_default();
    let nonce_secret = super::from_file(settings, NONCE_SECRET_FILE, nonce_secret);
    if needs_nonce && nonce_secret.is_none() && !settings.is_set(NONCE_SECRET_FILE) {
        settings.fault(
            NONCE_SECRET_FILE,
            format!(
                "is missing: {NONCE}=required makes nonces with it; make a file with openssl rand -hex 32"
            ),
        );
    }
    let settings = ProofSettings { rules, origins: origins.unwrap_or_default() };
    let is_unusual = settings != ProofSettings::default()
        || remembered != Some(USUAL_SIZE)
        || needs_nonce
        || nonce_secret.is_some();
    (ProofTerms { settings, remembered, needs_nonce, nonce_secret }, is_unusual)
}

fn algorithms(settings: &mut Settings) -> Option<AlgorithmSet> {
    let known = Algorithm::ALL.iter().filter(|algorithm| !AlgorithmSet::HMAC.contains(**algorithm));
    let known = known.map(|algorithm| algorithm.as_str());
    let listed: Vec<Algorithm> = settings.words(ALGORITHMS, "signature algorithm of proofs", known)?;
    if listed.iter().any(|algorithm| AlgorithmSet::HMAC.contains(*algorithm)) {
        settings.fault(ALGORITHMS, "a client proves a key by its public half: no HS256, HS384 or HS512");
    }
    Some(listed.into_iter().collect())
}

fn nonce_secret(file: &[u8]) -> Result<NonceSecret, String> {
    NonceSecret::of_file(file).ok_or_else(|| {
        format!(
            "the file holds fewer than {MIN_NONCE_SECRET_BYTES} bytes; make one with openssl rand -hex 32"
        )
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use jose::UnixTime;

    use super::*;
    use crate::config::Config;

    fn read(variables: &[(&str, &str)]) -> Result<ProofTerms, String> {
        let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Config::from_environment(variables).map(|config| config.proofs).map_err(|faults| faults.to_string())
    }

    #[test]
    fn what_cannot_be_meant_is_a_fault_that_names_the_cure() {
        for (variables, expected) in [
            (&[(ALGORITHMS, "HS256")][..], "no HS256"),
            (&[(ALGORITHMS, "ES265")], "did you mean ES256?"),
            (&[(ALGORITHMS, ",")], "is an empty list"),
            (&[(MAX_AGE, "0")], "expected 1 to 3600 seconds"),
            (&[(ORIGINS, "api.example.com")], "origins such as https://api.example.com"),
            (&[(ORIGINS, "https://api.example.com/v1")], "without a path"),
            (&[(REPLAY, "agent")], "expected server or off"),
            (&[(REPLAY_SIZE, "0")], "expected 1 to 100000000 proofs"),
            (&[(NONCE, "optional")], "expected off or required"),
            (&[(NONCE, "required")], "is missing: TOKEN_SERVER__VERIFY__DPOP_NONCE=required"),
            (&[(NONCE, "required"), (NONCE_SECRET_FILE, "/nowhere")], "cannot read the file"),
        ] {
            let faults = read(variables).unwrap_err();
            assert!(faults.contains(expected), "{variables:?}: {faults}");
        }
    }

    #[test]
    fn the_secret_of_nonces_is_a_file_of_32_bytes_or_more_and_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("nonce");
        let path = file.display().to_string();
        let variables = [(NONCE, "required"), (NONCE_SECRET_FILE, path.as_str())];
        fs::write(&file, "x".repeat(31) + "\n\n").unwrap();
        assert!(
            read(&variables).unwrap_err().contains("fewer than 32 bytes; make one with openssl rand -hex 32")
        );
        let nonce = |text: String| {
            fs::write(&file, text).unwrap();
            let secret = read(&variables).unwrap().nonce_secret.unwrap().current();
            secret.nonce(UnixTime::from_secs(0))
        };
        assert_eq!(nonce("x".repeat(32)), nonce("x".repeat(32) + "\n"), "the end of a line is no part of it");
        assert_ne!(nonce("x".repeat(32)), nonce("y".repeat(32)));
        fs::write(&file, "s3cret".repeat(6)).unwrap();
        assert!(!format!("{:?}", read(&variables).unwrap()).contains("s3cret"));
    }
}
