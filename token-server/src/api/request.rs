//! What handlers take from a request, with failures as [`ApiError`].

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde_json::value::RawValue;

use super::app::App;
use super::error::ApiError;
use crate::caller::{Access, Role};
use crate::revocations::MAX_GROUP_BYTES;
use crate::store::EVERYBODY;

/// A body of any content type, up to `MAX` bytes.
pub(crate) struct Body<const MAX: usize>(pub(crate) Bytes);

impl<const MAX: usize, S: Send + Sync> FromRequest<S> for Body<MAX> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let limited = request.map(|body| axum::body::Body::new(http_body_util::Limited::new(body, MAX)));
        match Bytes::from_request(limited, state).await {
            Ok(bytes) => Ok(Self(bytes)),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(ApiError::BodyTooLarge { max: MAX })
            }
            Err(_) => Err(ApiError::BodyCut),
        }
    }
}

/// The name of a group of rules, to read them: a subject, or `g`.
#[derive(Debug)]
pub(crate) struct GroupName(pub(crate) String);

impl GroupName {
    pub(crate) fn parse(name: String) -> Result<Self, ApiError> {
        if name.is_empty() {
            return Err(ApiError::invalid("group", "a group has a name: its subject"));
        }
        if name.len() > MAX_GROUP_BYTES {
            return Err(ApiError::invalid(
                "group",
                format!("a group's name has at most {MAX_GROUP_BYTES} bytes"),
            ));
        }
        Ok(Self(name))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for GroupName {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(name) =
            Path::<String>::from_request_parts(parts, state).await.map_err(|_| ApiError::Path)?;
        Self::parse(name)
    }
}

/// The subject whose rules are changed. Never `g`, which a caller may have meant as a user's name: everybody's rules are
/// changed on a route of their own.
#[derive(Debug)]
pub(crate) struct Subject(pub(crate) String);

impl Subject {
    pub(crate) fn parse(name: String) -> Result<Self, ApiError> {
        match GroupName::parse(name)? {
            GroupName(name) if name == EVERYBODY => Err(ApiError::Everybody),
            GroupName(name) => Ok(Self(name)),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Subject {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let GroupName(name) = GroupName::from_request_parts(parts, state).await?;
        Self::parse(name)
    }
}

/// The parameters of a query, each at most once.
pub(crate) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    pub(super) fn new(parameters: BTreeMap<String, String>) -> Self {
        Self(parameters)
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// A parameter that is misspelt would otherwise be left out in silence.
    pub(crate) fn finish(mut self) -> Result<(), ApiError> {
        match self.0.pop_first() {
            None => Ok(()),
            Some((unknown, _)) => Err(ApiError::invalid(unknown, "is not known here")),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(parameters) = Query::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::invalid("query", "the query is not of the form name=value&name=value"))?;
        Ok(Self(parameters))
    }
}

/// Shows that the caller is an agent, where agents have to show it.
pub(crate) struct AgentAccess;

impl FromRequestParts<Arc<App>> for AgentAccess {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        match &app.agent_tokens {
            None => Ok(Self),
            Some(tokens) if tokens.current().accept(authorization(&parts.headers)?) => Ok(Self),
            Some(_) => Err(ApiError::Unauthorized),
        }
    }
}

/// What the one `Authorization` header says.
pub(super) fn authorization(headers: &HeaderMap) -> Result<&str, ApiError> {
    let mut shown = headers.get_all(header::AUTHORIZATION).iter();
    match (shown.next().and_then(|value| value.to_str().ok()), shown.next()) {
        (Some(authorization), None) => Ok(authorization),
        (Some(_) | None, _) => Err(ApiError::Unauthorized),
    }
}

impl Access {
    /// Refuses a caller whose role is not enough.
    pub(super) fn require(&self, needs: Role) -> Result<(), ApiError> {
        if self.role.includes(needs) {
            return Ok(());
        }
        Err(ApiError::Role { caller: self.caller.name.clone(), has: self.role, needs })
    }
}

/// Who asks, and what he may do. Behind the guard of a route alone.
impl<S: Send + Sync> FromRequestParts<S> for Access {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or(ApiError::Unauthorized)
    }
}

/// A JSON object whose members are taken one by one, so that errors can name them.
#[derive(Default)]
pub(crate) struct Document(BTreeMap<String, Box<RawValue>>);

impl Document {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        serde_json::from_slice(body).map(Self).map_err(|error| ApiError::json(&error))
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<Box<RawValue>> {
        self.0.remove(name)
    }

    pub(crate) fn take_required(&mut self, name: &str) -> Result<Box<RawValue>, ApiError> {
        self.take(name).ok_or_else(|| ApiError::invalid(name, "is missing"))
    }

    /// A member that is misspelt would otherwise be left out in silence.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        match self.0.into_keys().next() {
            None => Ok(()),
            Some(unknown) => Err(ApiError::invalid(unknown, "is not known here")),
        }
    }
}
