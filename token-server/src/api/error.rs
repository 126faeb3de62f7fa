//! Every way in which a request fails, and its HTTP status.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use jose::Profile;
use serde::Serialize;

use crate::caller::Role;
use crate::signals::NotAsked;
use crate::store::StoreError;

/// A request that is not answered with what was asked for. Texts are for the caller; they quote nothing he did not name.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("the body is not the JSON that is expected here (line {line}, column {column})")]
    Json { line: usize, column: usize },
    #[error("{why}")]
    Invalid { field: String, why: String },
    #[error(
        "g is no subject here: the rules for everybody are written and deleted at /v1/everybody/rules \
         (on the command line: --everybody)"
    )]
    Everybody,
    #[error("the path is not valid UTF-8")]
    Path,
    #[error("the body did not arrive whole")]
    BodyCut,
    #[error("the body is larger than {max} bytes")]
    BodyTooLarge { max: usize },
    #[error("a batch has at most {max} checks")]
    TooManyChecks { max: usize },
    #[error("a batch has at most {max} rules")]
    TooManyRules { max: usize },
    #[error("{max} clients read decisions already; end one of them")]
    TooManyReaders { max: usize },
    #[error("a bearer token that this server knows is needed")]
    Unauthorized,
    #[error("this needs the role {needs}, and {caller} has the role {has}")]
    Role { caller: String, has: Role, needs: Role },
    #[error(
        "the rules API is off on this listener: set TOKEN_SERVER__ADMIN__TOKENS_FILE, or use the socket of \
         TOKEN_SERVER__ADMIN__SOCKET"
    )]
    RulesApiOff,
    #[error(
        "this route answers 200 for refused tokens too, so it must not be a proxy's auth request; found {header}"
    )]
    Proxied { header: String },
    #[error("this server judges for the profile {server}, the request is for {asked}")]
    ProfileMismatch { server: Profile, asked: Profile },
    #[error(
        "a page of another site had the browser send this; use the page at /ui/ of this server, or a tool that is no browser"
    )]
    OtherSite,
    #[error(
        "this listener answers to localhost and to IP addresses alone: ask for it by one of them, or have the proxy \
         before it set Host to one"
    )]
    OtherName,
    #[error("the audit trail has no such entry; it may have been removed after TOKEN_SERVER__AUDIT__KEEP")]
    NoEntry,
    #[error(
        "the rule is not as this entry left it: it {stands}; say \"confirm\": true to write what stood before the entry \
         all the same (on the command line: --yes)"
    )]
    NotAsLeft { stands: String },
    #[error("what stood before the entry is no rule that is understood here, and is not written")]
    NoRule,
    #[error("no verification event was asked for with this state since this server runs")]
    NoVerification,
    #[error("no verification event was asked for: {0}")]
    NotAsked(#[from] NotAsked),
    #[error("no such route")]
    NoRoute,
    #[error("this route does not know the method")]
    Method,
    #[error("not answered in time; a write may still have happened")]
    Deadline,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What the rest of the world is told of a store that fails: its own words may name addresses and files.
const STORE_FAILS: &str = "the rules cannot be read or written now; the log of this server says why";

/// The whole text of an error, for those who may use the rules API: it travels beside an answer that says less.
#[derive(Debug, Clone)]
pub(super) struct ForOperators(String);

/// Puts the whole text into the answer to an operator.
pub(super) async fn tell_operators(mut response: Response) -> Response {
    match response.extensions_mut().remove::<ForOperators>() {
        None => response,
        Some(ForOperators(error)) => (response.status(), Json(Body { error, field: None })).into_response(),
    }
}

#[derive(Serialize)]
struct Body {
    error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

impl ApiError {
    pub(crate) fn invalid(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), why: why.into() }
    }

    pub(crate) fn json(error: &serde_json::Error) -> Self {
        Self::Json { line: error.line(), column: error.column() }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Json { .. } | Self::BodyCut | Self::Path | Self::Everybody => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::RulesApiOff | Self::Role { .. } | Self::Proxied { .. } | Self::OtherSite => {
                StatusCode::FORBIDDEN
            }
            Self::OtherName => StatusCode::MISDIRECTED_REQUEST,
            Self::NoRoute | Self::NoEntry | Self::NoVerification => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::ProfileMismatch { .. } | Self::NotAsLeft { .. } => StatusCode::CONFLICT,
            Self::BodyTooLarge { .. } | Self::TooManyChecks { .. } | Self::TooManyRules { .. } => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Self::TooManyReaders { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Invalid { .. } | Self::NoRule => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Deadline => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotAsked(why) => match why {
                NotAsked::NoStream(_) => StatusCode::NOT_FOUND,
                NotAsked::NoDocument => StatusCode::CONFLICT,
                NotAsked::NoRandomness => StatusCode::INTERNAL_SERVER_ERROR,
                NotAsked::Issuer { .. }
                | NotAsked::NotOffered(_)
                | NotAsked::InClear(_)
                | NotAsked::NotOne(_)
                | NotAsked::Ask { .. }
                | NotAsked::Refused { .. }
                | NotAsked::Answer(_)
                | NotAsked::Token(_)
                | NotAsked::Late(_) => StatusCode::BAD_GATEWAY,
            },
            Self::Store(error) => match error {
                StoreError::NotRules => StatusCode::CONFLICT,
                StoreError::Enforced => StatusCode::UNPROCESSABLE_ENTITY,
                StoreError::GroupFull { .. }
                | StoreError::RuleRefused(_)
                | StoreError::ShadowsFull
                | StoreError::ShadowRefused(_) => StatusCode::INSUFFICIENT_STORAGE,
                StoreError::Open { .. }
                | StoreError::Vanished { .. }
                | StoreError::Empty { .. }
                | StoreError::AnotherStore { .. }
                | StoreError::Unreliable(_)
                | StoreError::Locked { .. }
                | StoreError::Damaged { .. }
                | StoreError::Format { .. }
                | StoreError::Failed(_)
                | StoreError::Unreached
                | StoreError::Redis(_)
                | StoreError::Overtaken
                | StoreError::NoTrail
                | StoreError::NotTheTrail
                | StoreError::NoMaster { .. }
                | StoreError::TooFewReplicas { .. }
                | StoreError::Timeout { .. }
                | StoreError::NoRandomness
                | StoreError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            },
        }
    }

    pub(super) fn field(&self) -> Option<&str> {
        match self {
            Self::Invalid { field, .. } => Some(field),
            Self::Everybody => Some("group"),
            Self::ProfileMismatch { .. } => Some("profile"),
            Self::TooManyChecks { .. } => Some("checks"),
            Self::Store(StoreError::Enforced) => Some("mode"),
            Self::Json { .. }
            | Self::Path
            | Self::BodyCut
            | Self::BodyTooLarge { .. }
            | Self::TooManyRules { .. }
            | Self::TooManyReaders { .. }
            | Self::Unauthorized
            | Self::RulesApiOff
            | Self::Role { .. }
            | Self::Proxied { .. }
            | Self::NoRoute
            | Self::Method
            | Self::Deadline
            | Self::OtherSite
            | Self::OtherName
            | Self::NoEntry
            | Self::NotAsLeft { .. }
            | Self::NoRule
            | Self::NoVerification
            | Self::NotAsked(_)
            | Self::Store(_) => None,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        if status.is_server_error() {
            tracing::error!(error = %self, "a request failed");
        }
        let whole = self.to_string();
        let is_private = status == StatusCode::SERVICE_UNAVAILABLE && !matches!(self, Self::Deadline);
        let error = if is_private { STORE_FAILS.to_owned() } else { whole.clone() };
        let body = Body { error, field: self.field().map(str::to_owned) };
        let mut response = (status, Json(body)).into_response();
        if is_private {
            response.extensions_mut().insert(ForOperators(whole));
        }
        if status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    async fn text(response: Response) -> String {
        let body = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn where_a_store_is_only_operators_are_told() {
        let failing = || ApiError::Store(StoreError::NoMaster { last: "10.0.0.7:6379 refused".to_owned() });
        let told = text(failing().into_response()).await;
        assert!(told.contains(STORE_FAILS) && !told.contains("10.0.0.7"), "{told}");
        let operators = tell_operators(failing().into_response()).await;
        assert_eq!(operators.status(), StatusCode::SERVICE_UNAVAILABLE);
        let told = text(operators).await;
        assert!(told.contains("10.0.0.7:6379 refused"), "{told}");
        let other = ApiError::invalid("rule", "is missing").into_response();
        assert!(text(tell_operators(other).await).await.contains("is missing"));
    }
}
