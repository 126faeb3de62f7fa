//! Compact JOSE at the edge: bytes, keys, a policy and the time go in, a verdict comes out.
//!
//! Signed tokens (RFC 7515) are verified with keys in any of three forms (RFC 7517, PEM, a legacy list), their claims
//! (RFC 7519) are read without loss and validated by an [`IssuerPolicy`]. No I/O, no clock, no log; nothing that a stranger
//! sends panics. The attacks that JOSE verifiers are known for (RFC 8725) are refused by construction: an algorithm is
//! bound to a key when the key is read, and a token has exactly one spelling.
//!
//! The way of one token: [`verify`] -> [`TokenForm`] -> [`Jws::verify`] (header, keys to try, signature) ->
//! [`Claims::parse`] -> [`IssuerPolicy::validate`] -> [`Requirements::validate`]. With several issuers, [`Trust::verify`] goes before: it
//! chooses whose keys may be tried.
//!
//! Encrypted tokens (RFC 7516) are opened by [`decrypt`] with [`DecryptionKeys`]: claims that were encrypted under a
//! shared secret go to [`IssuerPolicy::validate`] as they are, a signed token inside goes the way above.
//!
//! A token that is bound to a key of its client comes with a proof, made for the one request (RFC 9449): [`Proofs::judge`].
//!
//! ```
//! use jose::{
//!     AlgorithmSet, Binding, KeyOrigin, KeyRules, KeySet, Leeway, IssuerPolicy, Profile, Requirements, UnixTime, Verdict, verify,
//! };
//!
//! // The example of RFC 7515 appendix A.1.
//! let keys = br#"{"keys":[{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}]}"#;
//! let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
//!     eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
//!     dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
//!
//! let rules = KeyRules {
//!     origin: KeyOrigin::File,
//!     profile: Profile::Standard,
//!     allow_short_secrets: false,
//!     allow_mixed_keys: false,
//! };
//! let policy = IssuerPolicy { issuers: vec!["joe".into()], ..IssuerPolicy::of(Profile::Standard) };
//! let keys = KeySet::parse(keys, &rules)?;
//! let Verdict::Accept(signed) = verify(token, &keys, &policy, UnixTime::from_secs(1_300_819_379)) else {
//!     panic!("refused");
//! };
//! assert_eq!(signed.claims.as_json(), r#"{"iss":"joe","exp":1300819380,"http://example.com/is_root":true}"#);
//! # Ok::<(), jose::KeySetError>(())
//! ```

mod access_token;
mod algorithm;
mod auth_scheme;
mod base64url;
mod binding;
mod challenge;
mod claims;
mod condition;
mod confirmation;
mod credentials;
mod dpop;
mod explain;
mod header;
mod hint;
mod introspection;
mod issuer;
mod issuer_policy;
mod json;
mod jwe;
mod jws;
mod keys;
mod leeway;
mod limits;
mod load_balancer;
mod opaque;
mod pattern;
mod policy;
mod profile;
mod purpose;
mod reject;
mod requirements;
mod resource;
mod security_event;
mod signed;
mod signing;
mod step_up;
mod time;
mod token;
mod tried_keys;
mod trust;
mod uuid;
mod verify;

pub use access_token::TokenKind;
pub use algorithm::{Algorithm, AlgorithmSet, UnknownAlgorithm};
pub use auth_scheme::AuthScheme;
pub use binding::{Binding, UnknownBinding};
pub use challenge::{
    ChallengeFault, Challenges, ListedValue, MAX_CHALLENGE_BYTES, MetadataUrl, OfferedSchemes, Realm, Told,
};
pub use claims::{Claim, ClaimNameError, ClaimNames, Claims, EVERYBODY, MAX_GROUP_BYTES};
pub use condition::{ClaimCondition, ClaimRule, ClaimValue};
pub use confirmation::{Confirmation, Evidence, Thumbprint};
pub use credentials::{Credentials, Place};
pub use dpop::{
    MAX_JTI_BYTES, MAX_ML_DSA_PROOF_BYTES, MAX_PROOF_BYTES, MIN_NONCE_SECRET_BYTES, NonceSecret, Proof,
    ProofFault, ProofHeaders, ProofRules, ProofSettings, Proofs, ProvedRequest, ReplayKey, SeenProofs,
    ShownProof, TargetOrigin, TargetUri, UriFault,
};
pub use explain::{Explanation, KeyTrial, TrialOutcome};
pub use hint::{Claimed, Hint};
pub use introspection::{AnswerFault, verify_introspection};
pub use issuer::{IssuerName, Template, TemplateError, Tenants};
pub use issuer_policy::{IssuerPolicy, Window};
pub use jwe::{
    AesSize, ContentEncryption, Decrypted, DecryptionKey, DecryptionKeys, DecryptionKeysError,
    DecryptionSkipReason, Jwe, KeyManagement, OaepHash, UnknownJweAlgorithm, decrypt, needs_private_key,
};
pub use jws::Jws;
pub use keys::{
    Curve, Doubt, Excerpt, Identity, Key, KeyKind, KeyOrigin, KeyRules, KeySet, KeySetError, KeyWarning,
    MlDsa, SkipReason, SkippedKey,
};
pub use leeway::Leeway;
pub use limits::{MAX_INFLATED_BYTES, MAX_JSON_DEPTH, MAX_KEY_SET_BYTES, MAX_KEYS, MAX_TRIED_KEYS};
pub use opaque::{Opaque, UnknownOpaque};
pub use pattern::matches_pattern;
pub use policy::Policy;
pub use profile::{Profile, UnknownProfile};
pub use reject::{Reason, Reject};
pub use requirements::Requirements;
pub use resource::{MAX_RESOURCE_BYTES, Resource, ResourceFault, ResourceMetadata};
pub use security_event::{EventFault, EventIssuer, SecurityEvent, event_hint};
pub use signed::{Signed, TokenVersion};
pub use signing::{SigningKey, SigningKeyError, Unsigned};
pub use step_up::StepUp;
pub use time::UnixTime;
pub use token::{OPAQUE_BYTES, TokenForm, TokenHash, fingerprint};
pub use trust::{Trust, TrustError, TrustedIssuer};
pub use uuid::Uuid;
pub use verify::{Refusal, Verdict, unverified_claims, verify, verify_signature};
