//! Why a fetch failed, and what to do about it.

use std::error::Error;
use std::io;

use crate::trust::{Fetch, FetchNames};
use reqwest::StatusCode;
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError};
use x509_parser::time::ASN1Time;

use super::handshake::{Seen, shown};
use super::origin::Origin;
use super::proxy::Proxy;
use super::redirect::Redirected;
use super::sought::{Limits, Sought};

/// Names of a certificate that are shown.
const MAX_NAMES: usize = 5;

/// What is known of a fetch.
pub(super) struct Context<'a> {
    pub(super) origin: &'a Origin,
    pub(super) fetch: &'a Fetch,
    pub(super) sought: Sought,
    pub(super) seen: &'a Seen,
    pub(super) proxy: Option<&'a Proxy>,
    /// Whether the origin may be shown who asks.
    pub(super) known: bool,
    pub(super) limits: Limits,
}

impl Context<'_> {
    /// Why no answer came.
    pub(super) fn failure(&self, error: &reqwest::Error) -> String {
        let text = self.cause(error);
        match self.proxy {
            Some(proxy) => format!("{text} (through the proxy {proxy})"),
            None => text,
        }
    }

    fn cause(&self, error: &reqwest::Error) -> String {
        let mut next: Option<&(dyn Error + 'static)> = Some(error);
        let mut texts: Vec<String> = Vec::new();
        while let Some(cause) = next {
            if let Some(redirected) = cause.downcast_ref::<Redirected>() {
                return match redirected {
                    Redirected::Away { .. } => {
                        let setting = self.sought.setting(self.fetch);
                        format!("{redirected}; if it is the right one, name it in {setting}")
                    }
                    Redirected::TooOften => redirected.to_string(),
                };
            }
            if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
                return self.tls(tls);
            }
            let text = cause.to_string();
            // An I/O error shows what is in it as its own text.
            if texts.last() != Some(&text) {
                texts.push(text);
            }
            next = match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                Some(inner) => Some(inner),
                None => cause.source(),
            };
        }
        if error.is_timeout() {
            let Limits { connect, total } = self.limits;
            return match error.is_connect() {
                true => format!("no connection within {} s", connect.as_secs_f32()),
                false => format!("no whole answer within {} s", total.as_secs_f32()),
            };
        }
        let mut text = texts.join(": ");
        if text.contains("proxy authorization required") {
            text.push_str("; write user:password@ before the proxy's host");
        }
        match self.wants_certificate() {
            Some(cure) => format!("{text}; {cure}"),
            None => text,
        }
    }

    /// What is missing if the server asked for a certificate in vain.
    fn wants_certificate(&self) -> Option<String> {
        let Self { origin, fetch, .. } = self;
        match (&fetch.certificate, self.known) {
            _ if !self.seen.asked() => None,
            (None, true) => Some(format!(
                "{origin} asks for a client certificate: set {} and {}",
                fetch.setting(|names| names.cert_file),
                fetch.setting(|names| names.key_file)
            )),
            (_, false) => Some(format!("{origin} asks for a client certificate. {}", self.strange())),
            (Some(_), true) => None,
        }
    }

    /// Why nothing was shown.
    fn strange(&self) -> String {
        let origins = self.fetch.setting(|names| names.origins);
        format!(
            "Credentials are not sent to {}, since no configured URL of this issuer is there; if they should be, add it to \
             {origins}",
            self.origin
        )
    }

    /// What to do about an answer with this status, if that is known.
    pub(super) fn refusal(&self, status: StatusCode) -> Option<String> {
        if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            let proxy = self.proxy?;
            return Some(format!("the proxy {proxy} wants a password; write user:password@ before its host"));
        }
        let denied = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        if let Some(cure) = self.wants_certificate().filter(|_| denied || status == StatusCode::BAD_REQUEST) {
            return Some(cure);
        }
        if !denied {
            return None;
        }
        let set = self.fetch.credentials();
        Some(match (set.as_slice(), self.known) {
            ([], _) => {
                let named = |name: fn(&FetchNames) -> &'static str| self.fetch.setting(name);
                format!(
                    "if it wants to know who asks, set {}, {}, {} or {}",
                    named(|names| names.token_file),
                    named(|names| names.basic_file),
                    named(|names| names.headers_file),
                    named(|names| names.cert_file)
                )
            }
            (_, false) => self.strange(),
            (set, true) => {
                let set: Vec<_> = set.iter().map(|name| format!("{}{name}", self.fetch.place)).collect();
                format!("it does not accept what {} says", set.join(", "))
            }
        })
    }

    fn tls(&self, error: &rustls::Error) -> String {
        let origin = self.origin;
        match error {
            rustls::Error::InvalidCertificate(error) => self.certificate(error),
            rustls::Error::AlertReceived(alert) => self.alert(*alert),
            rustls::Error::InvalidMessage(_) => {
                format!(
                    "{origin} does not answer in TLS; write another port, or http:// if it is meant to be without"
                )
            }
            rustls::Error::PeerIncompatible(_) => {
                format!(
                    "{origin} and we have no version or cipher of TLS in common; 1.2 and 1.3 are spoken here"
                )
            }
            other => other.to_string(),
        }
    }

    fn alert(&self, alert: AlertDescription) -> String {
        let origin = self.origin;
        if let Some(cure) = self.wants_certificate() {
            return format!("refused by the server ({alert:?}); {cure}");
        }
        if self.seen.asked() && self.fetch.certificate.is_some() {
            let cert = self.fetch.setting(|names| names.cert_file);
            return format!("{origin} does not accept the certificate of {cert} ({alert:?})");
        }
        match alert {
            AlertDescription::UnrecognisedName => {
                format!("{origin} knows no server of that name ({alert:?})")
            }
            AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure => {
                format!(
                    "{origin} wants another version or cipher of TLS ({alert:?}); 1.2 and 1.3 are spoken here"
                )
            }
            other => format!("{origin} ended the TLS handshake ({other:?})"),
        }
    }

    fn certificate(&self, error: &CertificateError) -> String {
        let (origin, ca) = (self.origin, &self.fetch.ca_setting);
        let presented = self.seen.presented();
        match error {
            CertificateError::ExpiredContext { time, not_after } => format!(
                "the certificate of {origin}, or one that it was signed with, expired on {}; it must be renewed there (here \
                 it is {})",
                date(*not_after),
                date(*time)
            ),
            CertificateError::NotValidYetContext { time, not_before } => format!(
                "the certificate of {origin}, or one that it was signed with, is good from {} on, and here it is {}; one of \
                 the two clocks is wrong",
                date(*not_before),
                date(*time)
            ),
            CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => format!(
                "the certificate of {origin} has no subjectAltName, where names are read from (a common name is not); it must \
                 be issued anew with one"
            ),
            CertificateError::NotValidForNameContext { presented, .. } => {
                let names: Vec<String> =
                    presented.iter().take(MAX_NAMES).map(|name| shown(bare(name))).collect();
                format!(
                    "the certificate of {origin} is for {}; write the URL with a name that it is for",
                    names.join(", ")
                )
            }
            CertificateError::UnknownIssuer | CertificateError::BadSignature => match presented {
                Some(presented) if presented.is_self_signed => format!(
                    "the certificate of {origin} is signed by itself, and it is not in {ca}; if it is the right one, put \
                     exactly this certificate into that file"
                ),
                Some(presented) => format!(
                    "the certificate of {origin} is signed by \"{}\", which neither the system nor {ca} knows; put that \
                     authority's certificate into this file, or, if it is an intermediate one, let the server send it along",
                    presented.issuer
                ),
                None => format!(
                    "the certificate of {origin} is signed by an authority that neither the system nor {ca} knows"
                ),
            },
            CertificateError::Other(_)
                if presented.as_ref().is_some_and(|presented| presented.is_authority) =>
            {
                format!(
                    "{origin} shows the certificate of an authority as its own, and it is not in {ca}; put exactly this \
                 certificate into that file, or have one issued for the server"
                )
            }
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                format!("the certificate of {origin} is not made for servers (extendedKeyUsage serverAuth)")
            }
            CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => format!(
                "the certificate of {origin}, or one that it was signed with, has a signature that is not accepted, such as \
                 SHA-1 or RSA below 2048 bits; it must be issued anew"
            ),
            other => format!("the certificate of {origin} is not accepted: {}", shown(&other.to_string())),
        }
    }
}

/// The name itself in what webpki writes: `DnsName("a.example")`, `IpAddress(192.0.2.1)`.
fn bare(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
    inner.trim_matches('"')
}

fn date(time: UnixTime) -> String {
    let seconds =
        i64::try_from(time.as_secs()).ok().and_then(|seconds| ASN1Time::from_timestamp(seconds).ok());
    seconds.map_or_else(|| format!("second {}", time.as_secs()), |time| time.to_string())
}
