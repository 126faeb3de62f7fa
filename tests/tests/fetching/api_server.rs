//! What Kubernetes' API server shows of keys: over TLS by an authority of its own, to callers with a service account's
//! token.

use std::io::{self, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::{fs, thread};

use integration_tests::http::{header, read_head};
use integration_tests::tls::server_config;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;

/// The accepted credentials, the keys, and how often each was answered.
#[derive(Debug, Default)]
struct State {
    token: Option<String>,
    jwks: String,
    shown: usize,
    refused: usize,
}

/// The server; it lives as long as the process.
pub(crate) struct ApiServer {
    port: u16,
    pub(crate) ca_file: PathBuf,
    state: Arc<Mutex<State>>,
}

impl ApiServer {
    /// Starts it with a certificate for `localhost`, `127.0.0.1` and `0.0.0.0`.
    pub(crate) fn start(folder: &Path, token: Option<&str>, jwks: String) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "kubernetes");
        let key = KeyPair::generate().unwrap();
        let ca_file = folder.join("ca.crt");
        fs::write(&ca_file, params.self_signed(&key).unwrap().pem()).unwrap();
        let authority = Issuer::new(params, key);

        let key = KeyPair::generate().unwrap();
        let names = ["localhost", "127.0.0.1", "0.0.0.0"].map(str::to_owned);
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
        let config = server_config(vec![certificate.der().clone()], key.serialize_der(), None);

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = State { token: token.map(str::to_owned), jwks, ..State::default() };
        let server = Self { port, ca_file, state: Arc::new(Mutex::new(state)) };
        let state = Arc::clone(&server.state);
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let (config, state) = (Arc::clone(&config), Arc::clone(&state));
                thread::spawn(move || {
                    let _closed = serve(stream, config, port, &state);
                });
            }
        });
        server
    }

    pub(crate) fn origin(&self, host: &str) -> String {
        format!("https://{host}:{}", self.port)
    }

    pub(crate) fn keys_url(&self, host: &str) -> String {
        format!("{}/openid/v1/jwks", self.origin(host))
    }

    /// From now on this token is accepted and no other.
    pub(crate) fn accept(&self, token: &str) {
        self.lock().token = Some(token.to_owned());
    }

    pub(crate) fn rotate(&self, jwks: String) {
        self.lock().jwks = jwks;
    }

    /// How often keys were shown, and how often they were refused.
    pub(crate) fn answers(&self) -> (usize, usize) {
        let state = self.lock();
        (state.shown, state.refused)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve(stream: TcpStream, config: Arc<ServerConfig>, port: u16, state: &Mutex<State>) -> io::Result<()> {
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    while let Some((line, headers)) = read_head(&mut stream)? {
        let (status, body) = {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            let wanted = state.token.as_ref().map(|token| format!("Bearer {token}"));
            if wanted.is_some() && header(&headers, "authorization") != wanted.as_deref() {
                state.refused += 1;
                (401, String::new())
            } else if line.contains("/openid/v1/jwks") {
                state.shown += 1;
                (200, state.jwks.clone())
            } else {
                // The API server names the keys by its own address.
                let document = json!({
                    "issuer": format!("https://localhost:{port}"),
                    "jwks_uri": format!("https://127.0.0.1:{port}/openid/v1/jwks"),
                });
                (200, document.to_string())
            }
        };
        let length = body.len();
        let answer = format!("HTTP/1.1 {status} Keys\r\nContent-Length: {length}\r\n\r\n{body}");
        stream.get_mut().write_all(answer.as_bytes())?;
    }
    Ok(())
}
