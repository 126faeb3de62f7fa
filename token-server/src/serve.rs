//! What the HTTP listeners answer, and with which certificate.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use rustls::ServerConfig;
use service::serve::{Answer, Certificates};

use crate::api::Routes;
use crate::tls::Tls;

impl Answer for Routes {
    async fn answer(&self, request: Request<Incoming>) -> Response {
        Self::answer(self, request).await
    }
}

impl Certificates for Tls {
    fn current(&self) -> Result<Arc<ServerConfig>, String> {
        Self::current(self).map_err(|error| error.to_string())
    }
}
