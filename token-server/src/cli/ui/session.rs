//! Who may ask over the relay: the one page that has exchanged the secret of the printed address for a token.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{BoxError, Json};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use serde_json::json;
use service::serve::Answer;

use super::relay::Relay;
use crate::api::browsers::{has_another_name, writes_for_another_site};
use crate::bearer::TokenHash;
use crate::cli::error::CliError;
use crate::random;

/// Bytes of a secret.
const SECRET_BYTES: usize = 32;

/// Bytes of the body of an exchange.
const MAX_EXCHANGE: usize = 1024;

/// What is let in, and passed on.
pub(super) struct Session {
    relay: Relay,
    key: Mutex<Key>,
}

/// What opens: first the secret of the address, from then on the token that it was exchanged for.
enum Key {
    Secret(TokenHash),
    Token(TokenHash),
}

/// Why a request is not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Refused {
    #[error("this program answers to 127.0.0.1 and localhost alone")]
    OtherName,
    #[error("a page of another site had the browser send this")]
    OtherSite,
    #[error(
        "this address was used before, or is not the one that was printed last: run token-server ui again"
    )]
    Spent,
    #[error("the body is no exchange")]
    NoExchange,
    #[error("the page has no token, or an old one: run token-server ui again")]
    NoToken,
    #[error("no such route")]
    NoRoute,
    #[error("the system gives no random numbers")]
    NoRandomness,
}

#[derive(Deserialize)]
struct Exchange {
    secret: String,
}

#[derive(Serialize)]
struct Exchanged {
    token: String,
}

impl Session {
    /// One that no page has opened yet, and the secret that opens it.
    pub(super) fn begin(relay: Relay) -> Result<(Self, String), CliError> {
        let secret = random::hex::<SECRET_BYTES>().ok_or(CliError::NoRandomness)?;
        let key = Mutex::new(Key::Secret(TokenHash::of(&secret)));
        Ok((Self { relay, key }, secret))
    }

    async fn judge<B>(&self, request: Request<B>) -> Result<Response, Refused>
    where
        B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let (uri, headers) = (request.uri(), request.headers());
        if has_another_name(uri, headers) {
            return Err(Refused::OtherName);
        }
        if writes_for_another_site(request.method(), headers) {
            return Err(Refused::OtherSite);
        }
        match (request.method(), uri.path()) {
            (&Method::POST, "/session") => self.exchange(request.into_body()).await,
            (&Method::GET | &Method::HEAD, path) if is_of_the_page(path) => {
                Ok(self.pass_on(request.map(Body::new)).await)
            }
            (_, path) if path.starts_with("/v1/") || ["/metrics", "/ready"].contains(&path) => {
                self.require_token(headers)?;
                Ok(self.pass_on(request.map(Body::new)).await)
            }
            (_, _) => Err(Refused::NoRoute),
        }
    }

    /// The first who shows the secret gets the token; another one who shows it later is too late.
    async fn exchange<B>(&self, body: B) -> Result<Response, Refused>
    where
        B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let body = Limited::new(body, MAX_EXCHANGE).collect().await.map_err(|_| Refused::NoExchange)?;
        let Exchange { secret } =
            serde_json::from_slice(&body.to_bytes()).map_err(|_| Refused::NoExchange)?;
        let shown = TokenHash::of(&secret);
        let token = random::hex::<SECRET_BYTES>().ok_or(Refused::NoRandomness)?;
        let mut key = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        match &*key {
            Key::Secret(secret) if secret.is(&shown) => {}
            Key::Secret(_) | Key::Token(_) => return Err(Refused::Spent),
        }
        *key = Key::Token(TokenHash::of(&token));
        Ok(([(header::CACHE_CONTROL, "no-store")], Json(Exchanged { token })).into_response())
    }

    fn require_token(&self, headers: &HeaderMap) -> Result<(), Refused> {
        let mut shown = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(first), None) = (shown.next(), shown.next()) else { return Err(Refused::NoToken) };
        let shown = first.to_str().ok().and_then(TokenHash::shown).ok_or(Refused::NoToken)?;
        match &*self.key.lock().unwrap_or_else(PoisonError::into_inner) {
            Key::Token(token) if token.is(&shown) => Ok(()),
            Key::Token(_) | Key::Secret(_) => Err(Refused::NoToken),
        }
    }

    async fn pass_on(&self, request: Request<Body>) -> Response {
        self.relay.pass_on(request).await.unwrap_or_else(|error| {
            let error =
                format!("{} cannot be asked: {error}; see that the token-server runs", self.relay.name());
            (StatusCode::BAD_GATEWAY, Json(json!({ "error": error }))).into_response()
        })
    }
}

impl Answer<SocketAddr> for Session {
    async fn answer(&self, request: Request<Incoming>, _: &SocketAddr) -> Response {
        self.judge(request).await.unwrap_or_else(IntoResponse::into_response)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match self {
            Self::OtherName => StatusCode::MISDIRECTED_REQUEST,
            Self::OtherSite | Self::Spent => StatusCode::FORBIDDEN,
            Self::NoExchange => StatusCode::BAD_REQUEST,
            Self::NoToken => StatusCode::UNAUTHORIZED,
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::NoRandomness => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, Json(json!({ "error": self.to_string() }))).into_response()
    }
}

/// The page's own files, by the letters that their names have: nothing that could be read as another path.
fn is_of_the_page(path: &str) -> bool {
    let is_plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'.');
    path.strip_prefix("/ui/").is_some_and(|name| is_plain(name) && !name.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &[(&str, &str)] = &[("host", "127.0.0.1:9"), ("sec-fetch-site", "same-origin")];

    async fn ask(
        session: &Session,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> StatusCode {
        answer(session, method, path, headers, body).await.status()
    }

    async fn answer(
        session: &Session,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        session.judge(request).await.unwrap_or_else(IntoResponse::into_response)
    }

    /// A session over a socket that is not there: what is let in is answered 502.
    fn session() -> (Session, String) {
        Session::begin(Relay::to("/nowhere/admin.sock".into())).unwrap()
    }

    #[tokio::test]
    async fn the_secret_opens_once_and_what_it_opened_stays_open_to_one() {
        let (session, secret) = session();
        let body = format!(r#"{{"secret":"{secret}"}}"#);
        for wrong in [r#"{"secret":""}"#, r#"{"secret":"0123"}"#] {
            assert_eq!(ask(&session, Method::POST, "/session", OWN, wrong).await, StatusCode::FORBIDDEN);
        }
        for wrong in ["", "{}", &format!("{body}x"), &" ".repeat(2000)] {
            assert_eq!(ask(&session, Method::POST, "/session", OWN, wrong).await, StatusCode::BAD_REQUEST);
        }
        let other = [("host", "127.0.0.1:9"), ("sec-fetch-site", "same-site")];
        assert_eq!(ask(&session, Method::POST, "/session", &other, &body).await, StatusCode::FORBIDDEN);
        let named = [("host", "evil.example.com:9")];
        let refused = ask(&session, Method::POST, "/session", &named, &body).await;
        assert_eq!(refused, StatusCode::MISDIRECTED_REQUEST);
        assert_eq!(ask(&session, Method::GET, "/session", OWN, &body).await, StatusCode::NOT_FOUND);

        let opened = answer(&session, Method::POST, "/session", OWN, &body).await;
        assert_eq!(opened.status(), StatusCode::OK);
        let bytes = opened.into_body().collect().await.unwrap().to_bytes();
        let told: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let token = format!("Bearer {}", told["token"].as_str().unwrap());
        assert_eq!(ask(&session, Method::POST, "/session", OWN, &body).await, StatusCode::FORBIDDEN, "twice");

        let shown = [("host", "localhost:9"), ("authorization", &*token)];
        for path in ["/v1/rules", "/metrics", "/ready"] {
            assert_eq!(ask(&session, Method::GET, path, &shown, "").await, StatusCode::BAD_GATEWAY, "{path}");
            for wrong in [format!("Bearer {secret}"), "Bearer ".to_owned(), token.replace("Bearer", "Basic")]
            {
                let shown = [("host", "localhost:9"), ("authorization", &*wrong)];
                assert_eq!(ask(&session, Method::GET, path, &shown, "").await, StatusCode::UNAUTHORIZED);
            }
            let twice = [shown[0], shown[1], shown[1]];
            assert_eq!(ask(&session, Method::GET, path, &twice, "").await, StatusCode::UNAUTHORIZED);
            assert_eq!(ask(&session, Method::GET, path, OWN, "").await, StatusCode::UNAUTHORIZED);
        }
    }

    #[tokio::test]
    async fn before_the_exchange_nothing_but_the_page_is_passed_on() {
        let (session, secret) = session();
        let shown = [("host", "127.0.0.1:9"), ("authorization", &*format!("Bearer {secret}"))];
        assert_eq!(ask(&session, Method::GET, "/v1/rules", &shown, "").await, StatusCode::UNAUTHORIZED);
        for path in ["/ui/", "/ui/page.js", "/ui/icon.svg"] {
            assert_eq!(ask(&session, Method::GET, path, OWN, "").await, StatusCode::BAD_GATEWAY, "{path}");
            assert_eq!(ask(&session, Method::POST, path, OWN, "").await, StatusCode::NOT_FOUND, "{path}");
        }
        for path in
            ["/", "/ui", "/ui/..", "/ui/../v1/rules", "/ui/%2e%2e/v1", "/ui/.x", "/openapi.json", "/V1/rules"]
        {
            assert_eq!(ask(&session, Method::GET, path, OWN, "").await, StatusCode::NOT_FOUND, "{path}");
        }
    }
}
