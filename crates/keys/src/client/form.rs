//! What is sent as a form, and credentials that are encoded as one first.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use service::secret::Secret;

/// A form, encoded (RFC 6749 appendix B).
pub fn form(pairs: &[(&str, &str)]) -> Secret {
    let Ok(mut url) = Url::parse("http://localhost/") else { return Secret::new("") };
    url.query_pairs_mut().extend_pairs(pairs);
    Secret::new(url.query().unwrap_or_default())
}

/// The value of `Authorization` for a client's ID and secret, each encoded as in a form first (RFC 6749 section 2.3.1).
pub fn basic_authorization(id: &str, secret: &Secret) -> Secret {
    let encoded = |text: &str| form(&[("", text)]).expose().trim_start_matches('=').to_owned();
    let pair = format!("{}:{}", encoded(id), encoded(secret.expose()));
    Secret::new(format!("Basic {}", STANDARD.encode(pair)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_encoded_as_a_form_is() {
        assert_eq!(form(&[("a", "b c"), ("d", "é:&=")]).expose(), "a=b+c&d=%C3%A9%3A%26%3D");
        let told = basic_authorization("a:b", &Secret::new("=c d%"));
        assert_eq!(told.expose(), format!("Basic {}", STANDARD.encode("a%3Ab:%3Dc+d%25")));
    }
}
