//! Servers whose certificates and answers a test chooses.

#[path = "../../../../../tests/src/tls.rs"]
mod tls;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SerialNumber,
};
use reqwest::Url;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What a path answers.
#[derive(Clone)]
pub(super) enum Answer {
    /// These bytes, head included.
    Whole(Vec<u8>),
    /// Spaces without an end.
    Endless,
    /// The head, and nothing after it.
    Stalls,
}

impl Answer {
    pub(super) fn new(head: &str, body: &[u8]) -> Self {
        let head = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        Self::Whole([head.as_bytes(), body].concat())
    }
}

/// A server on loopback; it ends with the test's runtime.
pub(super) struct Site {
    base: String,
    pages: Arc<Mutex<HashMap<String, Answer>>>,
    /// The heads of all requests.
    pub(super) asked: Arc<Mutex<Vec<String>>>,
}

impl Site {
    pub(super) async fn plain() -> Self {
        Self::start(None).await
    }

    pub(super) async fn over_tls(identity: &Identity, clients: Option<&Authority>) -> Self {
        let clients = clients.map(|authority| authority.certificate.der().clone());
        let config = tls::server_config(identity.chain.clone(), identity.key.serialize_der(), clients);
        Self::start(Some(TlsAcceptor::from(config))).await
    }

    async fn start(acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        let site = Self {
            base: format!("{scheme}://localhost:{port}"),
            pages: Arc::default(),
            asked: Arc::default(),
        };
        let (pages, asked) = (Arc::clone(&site.pages), Arc::clone(&site.asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, pages, asked) = (acceptor.clone(), Arc::clone(&pages), Arc::clone(&asked));
                tokio::spawn(async move {
                    match acceptor {
                        None => serve(stream, &pages, &asked).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve(stream, &pages, &asked).await;
                            }
                        }
                    }
                });
            }
        });
        site
    }

    pub(super) fn set(&self, path: &str, answer: Answer) {
        self.pages.lock().unwrap().insert(path.to_owned(), answer);
    }

    pub(super) fn url(&self, path: &str) -> Url {
        Url::parse(&format!("{}{path}", self.base)).unwrap()
    }

    /// The values of a header in the last request.
    pub(super) fn header(&self, name: &str) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        let lines = asked.last().unwrap().lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
            .collect()
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    pages: &Mutex<HashMap<String, Answer>>,
    asked: &Mutex<Vec<String>>,
) {
    let mut head = Vec::new();
    // What follows the head may come with it.
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
            return;
        }
        // What is no HTTP is answered as servers do it.
        if head.first() == Some(&0x16) {
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await.ok();
            return;
        }
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    asked.lock().unwrap().push(head);
    let answer = pages.lock().unwrap().get(&path).cloned();
    match answer.unwrap_or_else(|| Answer::new("200 OK", b"here")) {
        Answer::Whole(bytes) => {
            stream.write_all(&bytes).await.ok();
            stream.shutdown().await.ok();
        }
        Answer::Endless => {
            let mut answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
            while stream.write_all(&answer).await.is_ok() {
                answer = vec![b' '; 16 * 1024];
            }
        }
        Answer::Stalls => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{").await.ok();
            stream.flush().await.ok();
            std::future::pending::<()>().await;
        }
    }
}

/// A certificate with what leads to its authority, and its key.
pub(super) struct Identity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: KeyPair,
    pub(super) pem: String,
}

impl Identity {
    pub(super) fn write(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let (cert, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
        fs::write(&cert, &self.pem).unwrap();
        fs::write(&key, self.key.serialize_pem()).unwrap();
        (cert, key)
    }

    /// Signed by its own key, as `openssl req -x509` does it: a certificate of an authority.
    pub(super) fn self_signed(mut params: CertificateParams, serial: u64) -> Self {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.serial_number = Some(SerialNumber::from(serial));
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { chain: vec![certificate.der().clone()], pem: certificate.pem(), key }
    }
}

/// An authority that signs certificates.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(super) certificate: Certificate,
}

impl Authority {
    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(DnType::CommonName, name);
        params
    }

    pub(super) fn new(name: &str) -> Self {
        let (params, key) = (Self::params(name), KeyPair::generate().unwrap());
        let certificate = params.self_signed(&key).unwrap();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// An authority under this one.
    pub(super) fn intermediate(&self, name: &str) -> Self {
        let (params, key) = (Self::params(name), KeyPair::generate().unwrap());
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    pub(super) fn issue(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity { chain: vec![certificate.der().clone()], pem: certificate.pem(), key }
    }

    pub(super) fn write(&self, folder: &Path, name: &str) -> PathBuf {
        let file = folder.join(name);
        fs::write(&file, self.certificate.pem()).unwrap();
        file
    }
}

/// A certificate for `localhost`.
pub(super) fn for_localhost() -> CertificateParams {
    CertificateParams::new(vec!["localhost".to_owned()]).unwrap()
}
