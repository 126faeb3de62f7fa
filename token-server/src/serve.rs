//! What the HTTP listeners answer, and with which certificate.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use hyper::body::Incoming;
use rustls::ServerConfig;
use service::serve::{Answer, Certificates};
use service::socket::Uid;
use tower::ServiceExt as _;

use crate::api::Routes;
use crate::caller::Caller;
use crate::tls::Tls;

impl Answer<SocketAddr> for Routes {
    async fn answer(&self, request: Request<Incoming>, _: &SocketAddr) -> Response {
        Self::answer(self, request).await
    }
}

/// The routes of the admin socket, which are told the user at the other end.
pub(crate) struct SocketRoutes(pub(crate) Router);

impl Answer<Uid> for SocketRoutes {
    async fn answer(&self, mut request: Request<Incoming>, peer: &Uid) -> Response {
        request.extensions_mut().insert(Caller::of_peer(*peer).await);
        self.0.clone().oneshot(request.map(Body::new)).await.into_response()
    }
}

impl Certificates for Tls {
    fn current(&self) -> Result<Arc<ServerConfig>, String> {
        Self::current(self).map_err(|error| error.to_string())
    }
}
