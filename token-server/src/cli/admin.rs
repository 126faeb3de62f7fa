//! The admin API as commands see it, wherever it answers.

use std::path::Path;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Bytes;
use serde_json::Value;
use tower::ServiceExt as _;

use super::error::CliError;
use super::remote::Remote;
use super::target::Target;
use crate::api::{self, AdminAccess};
use crate::caller::Caller;
use crate::config::{Config, StoreSettings};

/// Whether a store's file may be made where none is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// A name that was mistyped must not look like an empty store.
    Refuse,
    /// For those who bring rules along.
    Create,
}

/// The admin API.
pub(super) enum Admin {
    /// Of a running server.
    Remote(Remote),
    /// Of this process, over the store.
    Here(Box<Router>),
}

impl Admin {
    /// Opens what the command line, or else the configuration, names.
    pub(super) async fn open(
        target: &Target,
        mut config: Config,
        missing: Missing,
    ) -> Result<Self, CliError> {
        let store = match &target.store {
            Some(path) => Some(StoreSettings::Embedded(path.clone())),
            None => target.configured_store.then(|| config.store.clone()),
        };
        if let Some(store) = store {
            if let StoreSettings::Embedded(path) = &store
                && missing == Missing::Refuse
                && !path.exists()
            {
                return Err(CliError::NoStore(path.clone()));
            }
            config.store_new |= missing == Missing::Create;
            let app = crate::run::open(config, store).await?;
            return Ok(Self::Here(Box::new(api::admin_router(&app, AdminAccess::Named))));
        }
        let token = target.token_file.as_deref().map(bearer).transpose()?;
        let remote = match (&target.server, config.admin_socket) {
            (Some(server), _) => Remote::parse(server, target, token)?,
            (None, Some(socket)) => Remote::socket(socket, token),
            (None, None) => return Err(CliError::NoTarget),
        };
        Ok(Self::Remote(remote))
    }

    /// Whether it is the store alone that is asked, which remembers no users.
    pub(super) fn is_here(&self) -> bool {
        matches!(self, Self::Here(_))
    }

    /// The JSON of an answer that is no refusal.
    pub(super) async fn get(&self, path: &str) -> Result<Value, CliError> {
        self.call(Method::GET, path, Bytes::new()).await
    }

    /// As [`get`](Self::get).
    pub(super) async fn post(&self, path: &str, body: impl Into<Bytes>) -> Result<Value, CliError> {
        self.call(Method::POST, path, body.into()).await
    }

    /// Without a body it deletes all.
    pub(super) async fn delete(&self, path: &str, body: impl Into<Bytes>) -> Result<Value, CliError> {
        self.call(Method::DELETE, path, body.into()).await
    }

    async fn call(&self, method: Method, path: &str, body: Bytes) -> Result<Value, CliError> {
        let (status, body) = match self {
            Self::Remote(remote) => remote.call(method, path, body).await?,
            Self::Here(router) => here(router, method, path, body).await?,
        };
        let strange = || CliError::Strange { status };
        let mut answer: Value = serde_json::from_slice(&body).map_err(|_| strange())?;
        if status.is_success() {
            return Ok(answer);
        }
        let mut text = |name: &str| match answer.get_mut(name).map(Value::take) {
            Some(Value::String(text)) => Some(text),
            Some(_) | None => None,
        };
        let field = text("field");
        Err(CliError::Refused { status, error: text("error").ok_or_else(strange)?, field })
    }
}

async fn here(
    router: &Router,
    method: Method,
    path: &str,
    body: Bytes,
) -> Result<(StatusCode, Bytes), CliError> {
    let unreachable = |cause: String| CliError::Unreachable { server: "the store".to_owned(), cause };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .extension(Caller::of_this_process())
        .body(Body::from(body))
        .map_err(|error| unreachable(error.to_string()))?;
    let response = match router.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let status = response.status();
    let body = response.into_body().collect().await.map_err(|error| unreachable(error.to_string()))?;
    Ok((status, body.to_bytes()))
}

fn bearer(path: &Path) -> Result<String, CliError> {
    let text =
        std::fs::read_to_string(path).map_err(|cause| CliError::File { path: path.to_owned(), cause })?;
    let mut tokens = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    match tokens.next() {
        Some(token) if token.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(token.to_owned()),
        Some(_) | None => Err(CliError::Argument {
            name: "--token-file",
            why: "expected a bearer token alone, visible ASCII without white space, name or role".to_owned(),
        }),
    }
}
