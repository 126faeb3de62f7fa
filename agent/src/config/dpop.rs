//! What proofs of possession must be (RFC 9449), and who refuses those that were used before.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jose::{Algorithm, AlgorithmSet, NonceSecret, ProofRules, ProofSettings, SeenProofs, TargetOrigin};
use service::description::{Default, Group, Kind, Setting};
use service::secret_file::SecretFile;
use service::settings::Settings;

use super::ranges::within;
use crate::decide::Proving;

/// The range of `JWT_DPOP_MAX_AGE`, seconds. Each proof is remembered for as long.
const MAX_AGE: RangeInclusive<u64> = 1..=3600;
/// What it is where it is not set.
const USUAL_SECONDS: u64 = 60;
/// The range of `JWT_DPOP_REPLAY_SIZE`.
const REPLAY_SIZE: RangeInclusive<usize> = 1..=100_000_000;
/// What it is where it is not set.
const USUAL_SIZE: usize = 1_000_000;

const ALGORITHMS: &str = "JWT_DPOP_ALGORITHMS";
const SECONDS: &str = "JWT_DPOP_MAX_AGE";
const ORIGINS: &str = "JWT_DPOP_ORIGINS";
const NONCE: &str = "JWT_DPOP_NONCE";
/// The file of the secret that nonces are made with.
pub(crate) const NONCE_SECRET_FILE: &str = "JWT_DPOP_NONCE_SECRET_FILE";
const REPLAY: &str = "JWT_DPOP_REPLAY";
const SIZE: &str = "JWT_DPOP_REPLAY_SIZE";

/// What may be said of proofs that were used before.
const REPLAYS: &[(&str, Replay)] =
    &[("agent", Replay::Agent), ("haproxy", Replay::Haproxy), ("off", Replay::Off)];
/// What may be said of nonces.
const NONCES: &[(&str, Nonces)] = &[("off", Nonces::Off), ("required", Nonces::Required)];

/// Who refuses a proof that was used before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Replay {
    /// This agent, for itself.
    #[default]
    Agent,
    /// HAProxy, by a stick table over `txn.tkn.proof`.
    Haproxy,
    /// Nothing does.
    Off,
}

/// Whether proofs need a nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Nonces {
    #[default]
    Off,
    Required,
}

/// What is set of proofs.
#[derive(Debug, Clone)]
pub struct DpopConfig {
    /// What they must be.
    pub settings: ProofSettings,
    /// How many the agent remembers; absent: something else refuses those that were used before.
    pub remembered: Option<usize>,
    /// The file of the secret that nonces are made with.
    pub nonce_secret_file: Option<PathBuf>,
    /// Whether they need a nonce.
    asks_for_nonces: bool,
}

impl DpopConfig {
    /// What they are judged by, with what lasts as long as the agent does.
    pub fn proving(
        &self,
        seen: Option<Arc<SeenProofs>>,
        nonces: Option<Arc<SecretFile<NonceSecret>>>,
    ) -> Proving {
        let nonces = nonces.filter(|_| self.asks_for_nonces);
        Proving { settings: self.settings.clone(), seen, nonces }
    }
}

/// Reads the settings, and whether one of them is another than the usual one: clients have proofs then.
pub(super) fn read(settings: &mut Settings) -> (DpopConfig, bool) {
    let algorithms = algorithms(settings).unwrap_or(ProofRules::ALGORITHMS);
    let max_age = within(settings, SECONDS, MAX_AGE, "seconds").unwrap_or(USUAL_SECONDS);
    let origins = settings
        .parse_list::<TargetOrigin>(ORIGINS, "origins such as https://api.example.com, without a path");
    let replay = settings.word(REPLAY, REPLAYS).unwrap_or_default();
    let size = within(settings, SIZE, REPLAY_SIZE, "proofs").unwrap_or(USUAL_SIZE);
    let nonces = settings.word(NONCE, NONCES).unwrap_or_default();
    let nonce_secret_file = settings.text(NONCE_SECRET_FILE).map(PathBuf::from);
    if nonces == Nonces::Required && nonce_secret_file.is_none() {
        let what = format!(
            "required needs {NONCE_SECRET_FILE}: a file with 32 or more random bytes, the same for all agents, such as \
             `openssl rand -hex 32` writes"
        );
        settings.fault(NONCE, what);
    }
    let is_unusual = algorithms != ProofRules::ALGORITHMS
        || max_age != USUAL_SECONDS
        || origins.is_some()
        || replay != Replay::Agent
        || size != USUAL_SIZE
        || nonces == Nonces::Required
        || nonce_secret_file.is_some();
    let rules = ProofRules { algorithms, max_age: Duration::from_secs(max_age) };
    let config = DpopConfig {
        settings: ProofSettings { rules, origins: origins.unwrap_or_default() },
        remembered: (replay == Replay::Agent).then_some(size),
        nonce_secret_file,
        asks_for_nonces: nonces == Nonces::Required,
    };
    (config, is_unusual)
}

fn algorithms(settings: &mut Settings) -> Option<AlgorithmSet> {
    let public = Algorithm::ALL.iter().filter(|algorithm| !AlgorithmSet::HMAC.contains(**algorithm));
    let known = public.map(|algorithm| algorithm.as_str());
    let listed: Vec<Algorithm> = settings.words(ALGORITHMS, "signature algorithm", known)?;
    if listed.iter().any(|algorithm| AlgorithmSet::HMAC.contains(*algorithm)) {
        settings
            .fault(ALGORITHMS, "a client proves its key by a public one: leave out HS256, HS384 and HS512");
    }
    Some(listed.into_iter().collect())
}

fn usual_algorithms() -> String {
    ProofRules::ALGORITHMS.iter().map(Algorithm::as_str).collect::<Vec<_>>().join(",")
}

/// The description of the settings.
pub(super) fn group() -> Group {
    let settings = vec![
        Setting::new(
            ALGORITHMS,
            Kind::List("signature algorithms"),
            "ES256,EdDSA",
            "Accepted signature algorithms of proofs. Challenges name them (`algs`)",
        )
        .or(Default::Derived {
            told: "ES256, ES384, ES512, EdDSA, PS256, RS256 and ML-DSA",
            of: |_| Some(usual_algorithms()),
        }),
        Setting::new(
            SECONDS,
            Kind::Number { unit: "seconds", least: *MAX_AGE.start(), most: *MAX_AGE.end() },
            "30",
            "How old a proof may be (`iat`); 5 seconds in the future are accepted",
        )
        .or("60"),
        Setting::new(
            ORIGINS,
            Kind::List("origins"),
            "https://api.example.com",
            "What clients call the server: scheme, host and port. Where it is set, a proof's `htu` must begin with one of them, and `tls` and `host` of the message `proof` are not looked at",
        )
        .without_secrets()
        .or(Default::unset("`tls` and `host` of each request")),
        Setting::new(
            NONCE,
            Kind::Word(&["off", "required"]),
            "required",
            "Whether a proof needs a nonce of ours that is at most two minutes old ([more](BINDING.md#nonces))",
        )
        .or("off"),
        Setting::new(
            NONCE_SECRET_FILE,
            Kind::Text("path"),
            "/etc/jwt-agent/nonce-secret",
            "A file with the secret that nonces are made with, 32 bytes or more, the same for all agents; read again when it changes",
        )
        .restart(),
        Setting::new(
            REPLAY,
            Kind::Word(&["agent", "haproxy", "off"]),
            "haproxy",
            "Who refuses a proof that was used before: this `agent`, for itself; `haproxy`, by a stick table over `txn.tkn.proof`, which is needed where there are several agents; with `off` it passes again ([more](BINDING.md#proofs-are-used-once))",
        )
        .or("agent")
        .restart(),
        Setting::new(
            SIZE,
            Kind::Number {
                unit: "proofs",
                least: super::description::wide(*REPLAY_SIZE.start()),
                most: super::description::wide(*REPLAY_SIZE.end()),
            },
            "200000",
            "Proofs that this agent remembers, each for its age and 5 seconds, about 80 bytes each. When no more fit, further ones are refused (`overloaded`)",
        )
        .or("1000000")
        .restart(),
    ];
    Group { title: "proofs of possession (DPoP)", settings }
}

#[cfg(test)]
mod tests {
    use jose::{AuthScheme, Reject};

    use crate::config::tests::load;

    #[test]
    fn what_cannot_be_used_is_a_fault_with_its_cure() {
        for (settings, expected) in [
            (
                &[("JWT_DPOP_NONCE", "required")][..],
                "JWT_DPOP_NONCE: required needs JWT_DPOP_NONCE_SECRET_FILE",
            ),
            (&[("JWT_DPOP_NONCE", "optional")], "JWT_DPOP_NONCE: expected off or required"),
            (
                &[("JWT_DPOP_ALGORITHMS", "ES256,HS256")],
                "JWT_DPOP_ALGORITHMS: a client proves its key by a public one",
            ),
            (&[("JWT_DPOP_ALGORITHMS", "none")], "JWT_DPOP_ALGORITHMS: none is no signature algorithm"),
            (&[("JWT_DPOP_ORIGINS", "https://api.example/path")], "JWT_DPOP_ORIGINS: expected"),
            (&[("JWT_DPOP_ORIGINS", "api.example")], "JWT_DPOP_ORIGINS: expected"),
            (&[("JWT_DPOP_REPLAY", "on")], "JWT_DPOP_REPLAY: expected agent, haproxy or off"),
            (&[("JWT_DPOP_REPLAY_SIZE", "0")], "JWT_DPOP_REPLAY_SIZE: expected proofs"),
            (&[("JWT_DPOP_MAX_AGE", "0")], "JWT_DPOP_MAX_AGE: expected seconds"),
        ] {
            let faults = load(&[&[("JWT_JWKS_FILE", "/k")], settings].concat()).unwrap_err().to_string();
            assert!(faults.contains(expected), "{expected} in {faults}");
        }
    }

    #[test]
    fn the_scheme_is_accepted_and_offered_where_a_key_may_be_enough() {
        for (settings, is_accepted, offered) in [
            (&[][..], true, "Bearer realm=\"api\""),
            (&[("JWT_DPOP_REPLAY", "agent")], true, "Bearer realm=\"api\""),
            (
                &[("JWT_DPOP_ALGORITHMS", "ES256,EdDSA"), ("JWT_DPOP_REPLAY", "haproxy")],
                true,
                "Bearer realm=\"api\", DPoP realm=\"api\", algs=\"ES256 EdDSA\"",
            ),
            (
                &[("JWT_BINDING", "dpop"), ("JWT_DPOP_ALGORITHMS", "ES256")],
                true,
                "DPoP realm=\"api\", algs=\"ES256\"",
            ),
            (&[("JWT_BINDING", "mtls"), ("JWT_DPOP_MAX_AGE", "5")], false, "Bearer realm=\"api\""),
            (&[("JWT_BINDING", "ignore")], false, "Bearer realm=\"api\""),
        ] {
            let config = load(&[&[("JWT_JWKS_FILE", "/k")], settings].concat()).unwrap();
            assert_eq!(config.schemes.iter().any(|scheme| scheme == "DPoP"), is_accepted, "{settings:?}");
            let challenges = &config.trust.policies()[0].challenges;
            assert_eq!(challenges.of(Reject::Missing, AuthScheme::Bearer), Some(offered), "{settings:?}");
        }
    }
}
