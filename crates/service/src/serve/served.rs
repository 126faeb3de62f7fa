//! What all connections of a listener share, over HTTP/1.1 and HTTP/2: what is answered, with which certificate, and how long
//! each may take.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use tokio_rustls::rustls::ServerConfig;
use tower::ServiceExt as _;

use crate::shutdown::Shutdown;

/// How long a new connection may take to send the head of its first request: clients connect when they have one.
pub(super) const FIRST_HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may take for the head of a later request; also how long it may idle before. Above the 30 s after
/// which HAProxy and nginx close a connection that they keep: the side that asks must be the one that closes.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a connection that gives up its place may take to go, if it has ever worked: a peer that is still reading an
/// answer gets the rest of it.
pub(super) const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);

/// What a listener answers. `P` is what it knows of the other end of a connection.
pub trait Answer<P>: Send + Sync + 'static {
    /// Answers a request of this peer.
    fn answer(&self, request: Request<Incoming>, peer: &P) -> impl Future<Output = Response> + Send;
}

impl<P: Sync> Answer<P> for Router {
    async fn answer(&self, request: Request<Incoming>, _: &P) -> Response {
        self.clone().oneshot(request.map(Body::new)).await.into_response()
    }
}

/// The certificate that a listener shows, which may be replaced while it serves.
pub trait Certificates: Send + Sync + 'static {
    /// What the next connection gets.
    ///
    /// # Errors
    ///
    /// Why TLS cannot be set up.
    fn current(&self) -> Result<Arc<ServerConfig>, String>;
}

/// What all connections of a listener share.
pub(super) struct Served<A> {
    pub(super) tls: Option<Arc<dyn Certificates>>,
    pub(super) answers: A,
    /// Requests of HTTP/2.
    pub(super) room: Semaphore,
    pub(super) shutdown: Shutdown,
}
