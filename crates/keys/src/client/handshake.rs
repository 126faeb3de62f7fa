//! The two decisions of a TLS handshake: is it the right server, and what is shown to one that asks who we are.
//!
//! A certificate that stands in the CA file itself is accepted from the server, as `curl --cacert` does, though webpki
//! takes no certificate of an authority for a server's own. Only exactly that certificate is; its time, its purpose and
//! its names count as with any other. What was seen is kept, so that a failure can be explained.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

/// How much of a name that a server chose is shown.
const MAX_NAME: usize = 120;

/// What a server showed and asked for in the last handshake.
#[derive(Debug, Default)]
pub(super) struct Seen {
    asked: AtomicBool,
    presented: Mutex<Option<Presented>>,
}

/// A server's certificate.
#[derive(Debug, Clone)]
pub(super) struct Presented {
    /// Who signed it.
    pub(super) issuer: String,
    /// It names itself there.
    pub(super) is_self_signed: bool,
    /// It may sign others.
    pub(super) is_authority: bool,
}

impl Seen {
    pub(super) fn forget(&self) {
        self.asked.store(false, Ordering::Relaxed);
        *self.presented.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether the server asked for a certificate of ours.
    pub(super) fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    pub(super) fn presented(&self) -> Option<Presented> {
        self.presented.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, certificate: &CertificateDer<'_>) {
        let presented = X509Certificate::from_der(certificate).ok().map(|(_, parsed)| Presented {
            issuer: shown(&parsed.issuer().to_string()),
            is_self_signed: parsed.issuer() == parsed.subject(),
            is_authority: parsed.is_ca(),
        });
        *self.presented.lock().unwrap_or_else(PoisonError::into_inner) = presented;
    }
}

/// A text that a server chose, fit for a log.
pub(super) fn shown(text: &str) -> String {
    text.escape_debug().take(MAX_NAME).collect()
}

/// Judges a server's certificate.
#[derive(Debug)]
pub(super) struct Verifier {
    authorities: Option<Arc<WebPkiServerVerifier>>,
    pinned: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
    seen: Arc<Seen>,
}

impl Verifier {
    pub(super) fn new(
        authorities: Option<Arc<WebPkiServerVerifier>>,
        pinned: Vec<CertificateDer<'static>>,
        algorithms: WebPkiSupportedAlgorithms,
        seen: Arc<Seen>,
    ) -> Self {
        Self { authorities, pinned, algorithms, seen }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.seen.keep(end_entity);
        if self.pinned.iter().any(|pinned| pinned.as_ref() == end_entity.as_ref()) {
            return judge_pinned(end_entity, server_name, now);
        }
        match &self.authorities {
            Some(webpki) => {
                webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            None => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Time, purpose and names of a certificate that the operator has given us (RFC 5280 sections 4.1.2.5, 4.2.1.12).
fn judge_pinned(
    certificate: &CertificateDer<'_>,
    server_name: &ServerName<'_>,
    now: UnixTime,
) -> Result<ServerCertVerified, Error> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let at =
        |seconds: i64| UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
    let not_before = at(parsed.validity().not_before.timestamp());
    let not_after = at(parsed.validity().not_after.timestamp());
    if now < not_before {
        return Err(CertificateError::NotValidYetContext { time: now, not_before }.into());
    }
    if now > not_after {
        return Err(CertificateError::ExpiredContext { time: now, not_after }.into());
    }
    let purposes = parsed.extended_key_usage().map_err(|_| CertificateError::BadEncoding)?;
    if purposes.is_some_and(|purposes| !purposes.value.server_auth && !purposes.value.any) {
        return Err(CertificateError::InvalidPurpose.into());
    }
    verify_server_name(&ParsedCertificate::try_from(certificate)?, server_name)?;
    Ok(ServerCertVerified::assertion())
}

/// What is shown to a server that asks for a certificate.
#[derive(Debug)]
pub(super) struct ShownCertificate {
    key: Option<Arc<CertifiedKey>>,
    seen: Arc<Seen>,
}

impl ShownCertificate {
    pub(super) fn new(key: Option<Arc<CertifiedKey>>, seen: Arc<Seen>) -> Self {
        Self { key, seen }
    }
}

impl ResolvesClientCert for ShownCertificate {
    fn resolve(&self, _authorities: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.seen.asked.store(true, Ordering::Relaxed);
        self.key.clone()
    }

    fn has_certs(&self) -> bool {
        self.key.is_some()
    }
}
