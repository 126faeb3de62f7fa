//! Which connections are kept, and which are let go.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::config::{IdentityFiles, TokenServerConfig, TokenServers};
use crate::token_server::tls::Secrets;
use crate::token_server::tls::tests::Authority;

/// Above any delay of a busy machine.
const DEADLINE: Duration = Duration::from_secs(20);

fn shown(ca_file: Option<&Path>, identity: Option<IdentityFiles>) -> Shown {
    let config = TokenServerConfig {
        servers: TokenServers::Urls(Vec::new()),
        token_file: None,
        ca_file: ca_file.map(Path::to_path_buf),
        identity,
        budget: DEADLINE,
    };
    Secrets::load(&config).unwrap().shown()
}

async fn check(connections: &Connections, scheme: &str, shown: &Shown) {
    let mut request = Request::new(Full::new(Bytes::from_static(b"{}")));
    *request.method_mut() = hyper::Method::POST;
    let port = connections.address.port();
    *request.uri_mut() = format!("{scheme}://localhost:{port}/v1/check").parse().unwrap();
    let sent = connections.send(Kind::Check, request, shown);
    let response = timeout(DEADLINE, sent).await.expect("an answer").unwrap();
    http_body_util::BodyExt::collect(response.into_body()).await.unwrap();
}

/// Answers what comes over a connection, until its end.
async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut request = Vec::new();
    while stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {
        if request.ends_with(b"{}") {
            request.clear();
            let answered = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
            if answered.is_err() {
                return;
            }
        }
    }
}

/// A server that counts its connections, and what it does with each.
async fn server<S: Future<Output = ()> + Send + 'static>(
    each: impl Fn(TcpStream) -> S + Send + 'static,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let accepted = Arc::clone(&count);
    // Ends with the test's runtime.
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            accepted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(each(stream));
        }
    });
    (address, count)
}

#[tokio::test]
async fn kept_connections_are_let_go_only_if_none_has_brought_an_answer_since() {
    let (address, count) = server(serve).await;
    let connections = Connections::new(address);
    let shown = shown(None, None);
    let before = connections.heard();
    check(&connections, "http", &shown).await;
    connections.renew_unless_heard_since(before);
    check(&connections, "http", &shown).await;
    assert_eq!(count.load(Ordering::SeqCst), 1, "the connection was answered on, and is kept");
    let before = connections.heard();
    connections.renew_unless_heard_since(before);
    check(&connections, "http", &shown).await;
    assert_eq!(count.load(Ordering::SeqCst), 2, "nothing was heard, and a new one is made");
    connections.renew_unless_heard_since(before);
    check(&connections, "http", &shown).await;
    assert_eq!(count.load(Ordering::SeqCst), 2, "what others have made anew already is kept");
}

/// A certificate of that authority.
fn issue(folder: &TempDir, authority: &Authority, name: &str) -> IdentityFiles {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &authority.issuer).unwrap();
    let path = |end: &str| folder.path().join(format!("{name}.{end}"));
    fs::write(path("pem"), certificate.pem()).unwrap();
    fs::write(path("key"), key.serialize_pem()).unwrap();
    IdentityFiles { cert: path("pem"), key: path("key") }
}

/// TLS of a server that accepts clients of this authority alone.
fn accepting(identity: &IdentityFiles, clients: &Authority) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&clients.file).unwrap()).unwrap();
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients.build().unwrap())
        .with_single_cert(
            vec![CertificateDer::from_pem_file(&identity.cert).unwrap()],
            PrivateKeyDer::from_pem_file(&identity.key).unwrap(),
        )
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

#[tokio::test]
async fn a_certificate_that_a_check_has_shown_with_success_is_the_only_one_from_then_on() {
    let folder = TempDir::new().unwrap();
    let [first, second] = ["first", "second"].map(|name| Authority::new(&folder, name));
    let own = issue(&folder, &first, "localhost");
    let acceptor = Arc::new(Mutex::new(accepting(&own, &first)));
    let current = Arc::clone(&acceptor);
    let (address, count) = server(move |stream| {
        let acceptor = current.lock().unwrap().clone();
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                serve(stream).await;
            }
        }
    })
    .await;
    let connections = Connections::new(address);
    let with = |authority, name| shown(Some(&first.file), Some(issue(&folder, authority, name)));
    check(&connections, "https", &with(&first, "old")).await;
    assert_eq!(count.load(Ordering::SeqCst), 1);
    *acceptor.lock().unwrap() = accepting(&own, &second);
    let new = with(&second, "new");
    for _ in 0..5 {
        check(&connections, "https", &new).await;
    }
    assert_eq!(
        count.load(Ordering::SeqCst),
        3,
        "one with each certificate, and the old one is tried no more"
    );
}
