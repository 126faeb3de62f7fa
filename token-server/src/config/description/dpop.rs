//! Proofs of possession at `/verify`.

use service::description::{Default, Group, Kind, Setting};

use super::super::dpop::*;
use super::PATH;

/// The algorithms of [`jose::ProofRules::ALGORITHMS`].
const USUAL: &str = "ES256,ES384,ES512,EdDSA,PS256,RS256,ML-DSA-44,ML-DSA-65,ML-DSA-87";

pub(super) fn settings() -> Group {
    let (least_age, most_age) = AGES.into_inner();
    let (least, most) = SIZES.into_inner();
    let [least, most] = [least, most].map(|limit| u64::try_from(limit).unwrap_or(u64::MAX));
    let settings = vec![
        Setting::new(ALGORITHMS, Kind::List("signature algorithms"), "ES256,EdDSA", "Accepted algorithms of proofs; challenges name them")
            .or(USUAL),
        Setting::new(MAX_AGE, Kind::Number { unit: "seconds", least: least_age, most: most_age }, "30", "How old a proof may be (`iat`); 5 seconds in the future are accepted")
            .or("60"),
        Setting::new(ORIGINS, Kind::List("origins"), "https://api.example.com", "What clients call the API. Set: a proof's `htu` must begin with one of them, and scheme and host of the proxy are not looked at. nginx's example tells neither, and needs it ([more](FORWARD_AUTH.md#bound-tokens))")
            .without_secrets()
            .or(Default::unset("scheme and host of each request, as the proxy tells them")),
        Setting::new(REPLAY, Kind::Word(&["server", "off"]), "off", "Who refuses a proof that was used before: this `server`, for itself; with `off` it passes again")
            .or("server")
            .restart(),
        Setting::new(REPLAY_SIZE, Kind::Number { unit: "proofs", least, most }, "200000", "Used proofs that are remembered, each until it is too old. When no more fit, further ones are answered 503 (`overloaded`)")
            .or("1000000")
            .restart(),
        Setting::new(NONCE, Kind::Word(&["off", "required"]), "required", "`required`: each proof must have a nonce of ours (RFC 9449 section 9), which answers tell in `DPoP-Nonce`; it counts for two to three minutes")
            .or("off"),
        Setting::new(NONCE_SECRET_FILE, PATH, "/etc/token-server/nonce", "What nonces are made with: 32 bytes or more, white space around them apart (`openssl rand -hex 32`). The same for all servers, which then accept each other's. It is read again when it changes; nonces of the former content count no longer")
            .restart(),
    ];
    Group { title: "proofs of possession (DPoP)", settings }
}
