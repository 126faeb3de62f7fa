//! One HTTP/1.1 request to a running server, over TCP or a unix socket.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::error::CliError;
use super::target::Target;
use super::tls;

/// The longest wait for an answer: the server gives up on a request sooner.
const PATIENCE: Duration = Duration::from_secs(30);

/// The largest answer that is read: a page of rules of the largest size.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// Where a running server's admin API is.
pub(super) struct Remote {
    address: Address,
    /// What messages call it.
    name: String,
    token: Option<String>,
}

enum Address {
    Tcp { authority: String },
    Tls { authority: String, name: ServerName<'static>, client: Arc<ClientConfig> },
    Socket(PathBuf),
}

impl Remote {
    /// Reads the server of a command line: `http://host:port`, `https://host:port` or `unix:/path`.
    pub(super) fn parse(server: &str, target: &Target, token: Option<String>) -> Result<Self, CliError> {
        if let Some(path) = server.strip_prefix("unix:") {
            return Ok(Self::socket(path.into(), token));
        }
        let url: Uri = server.parse().map_err(|_| CliError::ServerForm)?;
        let (Some(scheme), Some(authority), "" | "/") = (url.scheme_str(), url.authority(), url.path())
        else {
            return Err(CliError::ServerForm);
        };
        let at = |port| format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(port));
        let address = match scheme {
            "http" => Address::Tcp { authority: at(80) },
            "https" => {
                let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
                let name = ServerName::try_from(host).map_err(|_| CliError::ServerForm)?;
                Address::Tls { authority: at(443), name, client: tls::client(target)? }
            }
            _ => return Err(CliError::ServerForm),
        };
        Ok(Self { address, name: server.to_owned(), token })
    }

    pub(super) fn socket(path: PathBuf, token: Option<String>) -> Self {
        Self { name: format!("unix:{}", path.display()), address: Address::Socket(path), token }
    }

    /// One request on a connection of its own.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), CliError> {
        tokio::time::timeout(PATIENCE, self.connect_and_call(method, path, body)).await.unwrap_or_else(|_| {
            Err(CliError::Silent { server: self.name.clone(), seconds: PATIENCE.as_secs() })
        })
    }

    async fn connect_and_call(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), CliError> {
        match &self.address {
            Address::Tcp { authority } => {
                let stream = TcpStream::connect(authority).await.map_err(|error| self.unreachable(&error))?;
                self.exchange(stream, authority, method, path, body).await
            }
            Address::Tls { authority, name, client } => {
                let stream = TcpStream::connect(authority).await.map_err(|error| self.unreachable(&error))?;
                let connector = TlsConnector::from(Arc::clone(client));
                let stream = connector
                    .connect(name.clone(), stream)
                    .await
                    .map_err(|error| self.unreachable(&error))?;
                self.exchange(stream, authority, method, path, body).await
            }
            Address::Socket(file) => {
                let stream = UnixStream::connect(file).await.map_err(|error| self.unreachable(&error))?;
                self.exchange(stream, "localhost", method, path, body).await
            }
        }
    }

    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        host: &str,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), CliError> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, host)
            .header(CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Full::new(body)).map_err(|error| self.unreachable(&error))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| self.unreachable(&error))?;
        let answer = async {
            let response = sender.send_request(request).await.map_err(|error| self.unreachable(&error))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
            let body = body.map_err(|error| self.unreachable(&*error))?;
            Ok((status, body.to_bytes()))
        };
        // The connection ends with its one answer, and moves it only while it is driven.
        let mut connection = std::pin::pin!(connection);
        let mut answer = std::pin::pin!(answer);
        tokio::select! {
            answer = answer.as_mut() => answer,
            _ = connection.as_mut() => answer.await,
        }
    }

    fn unreachable(&self, error: &(dyn std::error::Error + 'static)) -> CliError {
        CliError::Unreachable { server: self.name.clone(), cause: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_url_or_a_socket() {
        let target = Target {
            server: None,
            token_file: None,
            ca_file: None,
            cert_file: None,
            key_file: None,
            store: None,
            configured_store: false,
            json: false,
        };
        for (server, fault) in [
            ("http://127.0.0.1:4001", None),
            ("http://server/", None),
            ("unix:/run/admin.sock", None),
            ("https://server", Some("--ca-file: is needed for an https:// server")),
            ("ftp://server", Some("--server: expected")),
            ("http://server/v1", Some("--server: expected")),
            ("server:4001", Some("--server: expected")),
            ("", Some("--server: expected")),
        ] {
            match (Remote::parse(server, &target, None), fault) {
                (Ok(remote), None) => assert_eq!(remote.name, server),
                (Err(error), Some(fault)) => {
                    assert!(error.to_string().starts_with(fault), "{server}: {error}")
                }
                (Ok(_), Some(fault)) => panic!("{server} without {fault}"),
                (Err(error), None) => panic!("{server}: {error}"),
            }
        }
    }
}
