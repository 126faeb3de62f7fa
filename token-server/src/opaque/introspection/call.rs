//! The question about a token (RFC 7662 section 2.1), and who asks it.

use std::sync::Arc;
use std::time::Duration;

use jose::{UnixTime, Unsigned};
use keys::{Question, Sent, basic_authorization, form};
use reqwest::Url;
use service::secret_file::{Reload as _, SecretFile};

use super::assertion::{ASSERTION_TYPE, assertion};
use crate::config::introspection::{Authentication, AuthorizationServer};

/// The largest answer that is read; one about a token fits many times.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// A question about this token, that is asked now.
///
/// # Errors
/// Who asks cannot be proved.
pub(super) fn question(
    server: &AuthorizationServer,
    url: Url,
    token: &str,
    patience: Duration,
    accept: &'static str,
    now: UnixTime,
) -> Result<Question, Unsigned> {
    let (secret, key) = (server.secret.as_deref().map(current), server.key.as_deref().map(current));
    let proof;
    let mut pairs = vec![("token", token), ("token_type_hint", "access_token")];
    let mut authorization = None;
    match (&server.written.authentication, &secret, &key) {
        (Authentication::Basic(id), Some(secret), _) => authorization = Some(basic_authorization(id, secret)),
        (Authentication::Post(id), Some(secret), _) => {
            pairs.extend([("client_id", id.as_str()), ("client_secret", secret.expose())]);
        }
        (Authentication::PrivateKeyJwt { client, kid }, _, Some(key)) => {
            proof = assertion(key, kid.as_deref(), client, &server.written.issuer, now)?;
            pairs.extend([
                ("client_id", client.as_str()),
                ("client_assertion_type", ASSERTION_TYPE),
                ("client_assertion", proof.expose()),
            ]);
        }
        // The client shows the certificate, or the token.
        (Authentication::Mtls(id), ..) => pairs.push(("client_id", id)),
        (Authentication::Bearer, ..) => {}
        // Without a secret there was a fault at the start.
        (Authentication::Basic(_) | Authentication::Post(_) | Authentication::PrivateKeyJwt { .. }, ..) => {}
    }
    let sent = Sent::Form(form(&pairs));
    Ok(Question { url, sent, accept, authorization, patience, max_bytes: MAX_ANSWER_BYTES })
}

/// What a file says now.
fn current<T: Send + Sync>(file: &SecretFile<T>) -> Arc<T> {
    file.reload();
    file.current()
}
