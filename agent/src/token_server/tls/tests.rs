//! Token-servers over TLS, with certificates made for each test: which are trusted, and which are not.

#[path = "../../../../tests/src/tls.rs"]
mod server_tls;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use jose::Reject;
use prometheus_client::registry::Registry;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use reqwest::Url;
use revocation::check::Check;
use service::background::{Background, TaskMetrics};
use service::readiness::Readiness;
use service::shutdown::Shutdown;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::config::{IdentityFiles, TokenServerConfig, TokenServers};
use crate::metrics::Metrics;
use crate::token_server::{Discovery, TokenServer};

const VERDICT: &str = r#"{"store_id":"s","revision":1,"results":[{"detail":"ok"}]}"#;

/// Above any delay of a busy machine.
const DEADLINE: Duration = Duration::from_secs(20);

/// An authority of a test's own, with its certificate in a file.
pub(crate) struct Authority {
    pub(crate) issuer: Issuer<'static, KeyPair>,
    pub(crate) file: PathBuf,
}

impl Authority {
    pub(crate) fn new(folder: &TempDir, name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let file = folder.path().join(name);
        fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), file }
    }

    /// A server on loopback that calls itself `name` and finds each token good; its port.
    async fn serve(&self, name: &str) -> u16 {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let config = server_tls::server_config(vec![certificate.der().clone()], key.serialize_der(), None);
        let acceptor = TlsAcceptor::from(config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        // Ends with the test's runtime.
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut request = Vec::new();
                while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                    if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
                        break;
                    }
                }
                let (head, length) = ("HTTP/1.1 200 OK\r\nConnection: close", VERDICT.len());
                let answer = format!("{head}\r\nContent-Length: {length}\r\n\r\n{VERDICT}");
                stream.write_all(answer.as_bytes()).await.ok();
                stream.shutdown().await.ok();
            }
        });
        port
    }
}

#[test]
fn a_ca_file_without_a_certificate_is_a_fault() {
    let folder = TempDir::new().unwrap();
    let empty = folder.path().join("empty.pem");
    fs::write(&empty, "nothing here").unwrap();
    for file in [empty, folder.path().join("missing.pem")] {
        assert!(token_server("https://localhost:1", Some(file.clone())).is_err(), "{}", file.display());
    }
}

#[test]
fn a_client_certificate_that_cannot_be_shown_is_a_fault() {
    let folder = TempDir::new().unwrap();
    let ours = Authority::new(&folder, "ours.pem");
    let key = folder.path().join("key.pem");
    fs::write(&key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let missing = folder.path().join("missing.pem");
    for (cert, key, named) in [
        (&missing, &key, "JWT_TOKEN_SERVER_CERT_FILE: cannot read the file"),
        (&key, &key, "JWT_TOKEN_SERVER_CERT_FILE: the file holds no PEM certificate"),
        (&ours.file, &missing, "JWT_TOKEN_SERVER_KEY_FILE: cannot read the file"),
        (&ours.file, &ours.file, "JWT_TOKEN_SERVER_KEY_FILE: expected"),
        (&ours.file, &key, "JWT_TOKEN_SERVER_KEY_FILE: is not the key of the first certificate"),
    ] {
        let identity = IdentityFiles { cert: cert.clone(), key: key.clone() };
        let fault = token_server_for("https://localhost:1", None, Some(identity)).err().unwrap();
        assert!(fault.starts_with(named), "{named}: {fault}");
    }
}

fn token_server(url: &str, ca_file: Option<PathBuf>) -> Result<(TokenServer, Discovery), String> {
    token_server_for(url, ca_file, None)
}

fn token_server_for(
    url: &str,
    ca_file: Option<PathBuf>,
    identity: Option<IdentityFiles>,
) -> Result<(TokenServer, Discovery), String> {
    let config = TokenServerConfig {
        servers: TokenServers::Urls(vec![Url::parse(url).unwrap()]),
        token_file: None,
        ca_file,
        identity,
        budget: DEADLINE,
    };
    let metrics = Metrics::register(&mut Registry::default());
    TokenServer::new(&config, &crate::config::tests::trust(), "a", metrics).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_token_server_is_trusted_by_its_certificate_and_name() {
    let folder = TempDir::new().unwrap();
    let (ours, theirs) = (Authority::new(&folder, "ours.pem"), Authority::new(&folder, "theirs.pem"));
    let good = ours.serve("localhost").await;
    let misnamed = ours.serve("elsewhere.example").await;
    let foreign = theirs.serve("localhost").await;
    let deadline = || std::time::Instant::now() + DEADLINE;
    for (port, expected) in
        [(good, Ok(())), (misnamed, Err(Reject::NoTokenServer)), (foreign, Err(Reject::NoTokenServer))]
    {
        let url = format!("https://localhost:{port}");
        let (server, discovery) = token_server(&url, Some(ours.file.clone())).unwrap();
        let shutdown = Shutdown::new();
        let discovering = tokio::spawn(discovery.run(Background::new(
            shutdown.clone(),
            Readiness::new(),
            TaskMetrics::default(),
        )));
        server.servers().wait_for(|servers| !servers.is_empty()).await.unwrap();
        let verdict = server.check(Check::Token("a.b.c.d.e".to_owned()), deadline()).await;
        assert_eq!(verdict.and_then(|answer| answer.result.verdict()), expected);
        shutdown.cancel();
        discovering.await.unwrap();
    }
}
