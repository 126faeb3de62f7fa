//! Requests of the page, passed on to the admin socket, and the answers as they come: one of them is live, and has no end.

use std::io;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::{ACCEPT, CONNECTION, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use axum::http::{Request, Response, StatusCode};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use crate::cli::error::CliError;

/// What passes requests on.
pub(super) struct Relay {
    socket: PathBuf,
}

/// Why an answer did not come.
#[derive(Debug, thiserror::Error)]
pub(super) enum RelayError {
    /// The socket.
    #[error("{0}")]
    Socket(#[from] io::Error),
    /// What came over it.
    #[error("{0}")]
    Http(#[from] hyper::Error),
    /// What was to go over it.
    #[error("{0}")]
    Request(#[from] axum::http::Error),
}

impl Relay {
    pub(super) fn to(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// What messages call the other end.
    pub(super) fn name(&self) -> String {
        format!("unix:{}", self.socket.display())
    }

    /// Sees that the server shows its page.
    pub(super) async fn find_page(&self) -> Result<(), CliError> {
        let unreachable =
            |error: RelayError| CliError::Unreachable { server: self.name(), cause: error.to_string() };
        let request = Request::get("/ui/").body(Body::empty());
        let request = request.map_err(|error| unreachable(error.into()))?;
        match self.pass_on(request).await.map_err(unreachable)?.status() {
            StatusCode::OK => Ok(()),
            StatusCode::NOT_FOUND => Err(CliError::NoPage),
            status => Err(CliError::Strange { status }),
        }
    }

    /// Passes a request on, with its content type and what it accepts and without any other header, on a connection of its own.
    pub(super) async fn pass_on(&self, request: Request<Body>) -> Result<Response<Body>, RelayError> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut onward = Request::builder().method(parts.method).uri(path).header(HOST, "localhost");
        for name in [CONTENT_TYPE, ACCEPT] {
            if let Some(value) = parts.headers.get(&name) {
                onward = onward.header(name, value);
            }
        }
        let onward = onward.body(body)?;
        let stream = UnixStream::connect(&self.socket).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let mut connection = Some(Box::pin(connection));
        let response = {
            let mut answer = pin!(sender.send_request(onward));
            match connection.as_mut() {
                None => answer.await,
                Some(driven) => tokio::select! {
                    response = answer.as_mut() => response,
                    _ = driven => {
                        connection = None;
                        answer.await
                    }
                },
            }
        }?;
        let mut response = response.map(|body| Body::new(Driven { body, connection, _sender: sender }));
        for name in [CONNECTION, TRANSFER_ENCODING] {
            response.headers_mut().remove(name);
        }
        Ok(response)
    }
}

type Connection = http1::Connection<TokioIo<UnixStream>, Body>;

/// The body of an answer together with the connection that brings it, which moves only while it is driven.
struct Driven {
    body: Incoming,
    connection: Option<Pin<Box<Connection>>>,
    /// The connection ends when nothing can be sent any more.
    _sender: http1::SendRequest<Body>,
}

impl HttpBody for Driven {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        if let Some(connection) = &mut this.connection
            && connection.as_mut().poll(context).is_ready()
        {
            this.connection = None;
        }
        Pin::new(&mut this.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
