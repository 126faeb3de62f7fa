//! `POST /v1/check` over kept HTTP/1.1 connections.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use reqwest::Url;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use service::check::CheckResponse;
use tokio::time::timeout;

use crate::config::TokenServerConfig;

/// The largest answer that is read: a verdict is some 100 bytes.
const MAX_ANSWER: usize = 64 * 1024;
/// How long an unused connection is kept; below the server's own limit, so that we close first.
const IDLE: Duration = Duration::from_secs(50);

/// Why a call brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nothing within the budget.
    #[error("no answer in time")]
    Timeout,
    /// No connection, or it broke.
    #[error("not reachable: {0}")]
    Unreachable(String),
    /// The server refuses to judge.
    #[error("answered {0}")]
    Status(StatusCode),
    /// The answer is not a check's answer.
    #[error("answered something that is no check's answer")]
    Unreadable,
}

/// Why the client cannot be made: the configuration is wrong.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The bearer token's file cannot be read.
    #[error("JWT_TOKEN_SERVER_TOKEN_FILE: cannot read the file: {0}")]
    TokenFile(io::Error),
    /// The bearer token's file holds no usable token.
    #[error("JWT_TOKEN_SERVER_TOKEN_FILE: expected one bearer token in the file")]
    Token,
    /// The CA file cannot be read or holds no certificate.
    #[error("JWT_TOKEN_SERVER_CA_FILE: expected a file of PEM certificates")]
    CaFile,
    /// The system's certificates cannot be read.
    #[error("JWT_TOKEN_SERVER_BACKEND: the system's certificates cannot be read: {0}")]
    SystemRoots(io::Error),
}

/// Kept connections to all token-servers.
#[derive(Debug, Clone)]
pub struct HttpClient {
    inner: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    authorization: Option<HeaderValue>,
}

impl HttpClient {
    /// Reads the bearer token and the CA; makes no connection.
    ///
    /// # Errors
    ///
    /// One of the files cannot be used.
    pub fn new(config: &TokenServerConfig) -> Result<Self, ClientError> {
        let authorization = config.token_file.as_deref().map(bearer).transpose()?;
        let tls = HttpsConnectorBuilder::new();
        let tls = match &config.ca_file {
            Some(path) => tls.with_tls_config(trusting(certificates(path)?)?),
            None if config.servers.iter().any(|server| server.scheme() == "https") => {
                tls.with_native_roots().map_err(ClientError::SystemRoots)?
            }
            // A machine without certificates can still speak plain HTTP.
            None => tls.with_tls_config(trusting(RootCertStore::empty())?),
        };
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let connector = tls.https_or_http().enable_http1().wrap_connector(tcp);
        let inner = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Ok(Self { inner, authorization })
    }

    /// One call.
    ///
    /// # Errors
    ///
    /// No answer that says something about the checks, within `budget`.
    pub async fn check(
        &self,
        server: &Url,
        body: Bytes,
        budget: Duration,
    ) -> Result<CheckResponse, CallError> {
        match timeout(budget, self.call(server, body)).await {
            Ok(answer) => answer,
            Err(_) => Err(CallError::Timeout),
        }
    }

    async fn call(&self, server: &Url, body: Bytes) -> Result<CheckResponse, CallError> {
        let unreachable = |error: &dyn std::error::Error| CallError::Unreachable(error.to_string());
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = format!("{server}v1/check").parse().map_err(|error| unreachable(&error))?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        let response = self.inner.request(request).await.map_err(|error| unreachable(&error))?;
        if response.status() != StatusCode::OK {
            return Err(CallError::Status(response.status()));
        }
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { CallError::Unreadable } else { unreachable(error.as_ref()) }
        })?;
        serde_json::from_slice(&body.to_bytes()).map_err(|_| CallError::Unreadable)
    }
}

fn bearer(path: &Path) -> Result<HeaderValue, ClientError> {
    let text = std::fs::read_to_string(path).map_err(ClientError::TokenFile)?;
    let token = text.trim();
    if token.is_empty() || token.contains(char::is_whitespace) {
        return Err(ClientError::Token);
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| ClientError::Token)?;
    value.set_sensitive(true);
    Ok(value)
}

fn certificates(path: &Path) -> Result<RootCertStore, ClientError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|_| ClientError::CaFile)? {
        let certificate = certificate.map_err(|_| ClientError::CaFile)?;
        roots.add(certificate).map_err(|_| ClientError::CaFile)?;
    }
    if roots.is_empty() { Err(ClientError::CaFile) } else { Ok(roots) }
}

fn trusting(roots: RootCertStore) -> Result<ClientConfig, ClientError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| ClientError::CaFile)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}
