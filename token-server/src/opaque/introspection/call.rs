//! The question about a token (RFC 7662 section 2.1), and who asks it.

use std::time::Duration;

use keys::{JSON, Question, Sent, basic_authorization, form};
use reqwest::Url;
use service::secret_file::Reload as _;

use crate::config::introspection::{Authentication, AuthorizationServer};

/// A question about this token.
pub(super) fn question(
    server: &AuthorizationServer,
    url: Url,
    token: &str,
    patience: Duration,
    max_bytes: usize,
) -> Question {
    let secret = server.secret.as_ref().map(|file| {
        file.reload();
        file.current()
    });
    let mut pairs = vec![("token", token), ("token_type_hint", "access_token")];
    let mut authorization = None;
    match (&server.written.authentication, &secret) {
        (Authentication::Basic(id), Some(secret)) => authorization = Some(basic_authorization(id, secret)),
        (Authentication::Post(id), Some(secret)) => {
            pairs.extend([("client_id", id.as_str()), ("client_secret", secret.expose())]);
        }
        // The client shows the token, or the certificate.
        (Authentication::Mtls(id), _) => pairs.push(("client_id", id)),
        // Without a secret there was a fault at the start.
        (Authentication::Bearer | Authentication::Basic(_) | Authentication::Post(_), _) => {}
    }
    Question { url, sent: Sent::Form(form(&pairs)), accept: JSON, authorization, patience, max_bytes }
}
