//! `oidc-provider` from npm: a token for a resource (RFC 8707) is a JWT of RFC 9068.

use integration_tests::identity::oidc_provider::{EDDSA, ES256, ML_DSA, PS256, RS256, log_in, log_out};

use crate::logout::{self, Scope, Sender};
use crate::story::tell;

#[test]
fn oidc_provider_with_certificates_beside_its_keys() {
    tell(&RS256);
}

#[test]
fn oidc_provider_with_rsa_pss() {
    tell(&PS256);
}

#[test]
fn oidc_provider_with_elliptic_curves_and_a_login_page() {
    tell(&ES256);
}

#[test]
fn oidc_provider_with_edwards_curves() {
    tell(&EDDSA);
}

#[test]
fn oidc_provider_with_signatures_that_outlive_quantum_computers() {
    tell(&ML_DSA);
}

#[test]
fn the_logout_token_of_oidc_provider_opens_nothing() {
    logout::show(&Sender { kind: &ES256, scope: Scope::Subject, more: &[], log_in, log_out }, "web");
}

#[test]
fn a_logout_at_oidc_provider_ends_the_users_tokens() {
    logout::tell(&Sender { kind: &ES256, scope: Scope::Subject, more: &[], log_in, log_out });
}

#[test]
fn a_logout_at_oidc_provider_ends_one_session() {
    let more = &[("SESSIONS", "1")];
    logout::tell(&Sender { kind: &RS256, scope: Scope::Session, more, log_in, log_out });
}

#[test]
fn a_token_that_oidc_provider_does_not_revoke_is_revoked_here() {
    let sender = Sender { kind: &ES256, scope: Scope::Subject, more: &[], log_in, log_out };
    logout::revoke(&sender, ("web", "of the web"), "/token/revocation");
}
