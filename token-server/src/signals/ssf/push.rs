//! `POST /ssf/{stream}`: push delivery of security event tokens (RFC 8935).
//!
//! Who pushes shows the value that was given at the stream's setup. Nothing of a request is read before that was compared, and an
//! answer tells no stranger which streams there are.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest as _, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Untaken;
use crate::config::ssf::Stream;
use crate::signals::answer::{LANGUAGE, Unavailable};
use crate::signals::belief::Disbelief;
use crate::signals::metrics::Outcome;
use crate::signals::told::Kind;
use crate::signals::{InUse, Signals};

const CONTENT_TYPE: &str = "application/secevent+jwt";

/// Whose push it is.
enum Sender<'a> {
    /// This stream's.
    Stream(&'a Arc<Stream>),
    /// Another stream's: its sender knows that this one does not exist.
    Other,
    Stranger,
}

pub(crate) async fn push(
    State(signals): State<Arc<Signals>>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let in_use = signals.in_use.load_full();
    let stream = match sender(&in_use, &name, request.headers()) {
        Sender::Stream(stream) => stream,
        Sender::Other => {
            return signals
                .turned_away(StatusCode::NOT_FOUND, "its path is that of another stream, or of none");
        }
        Sender::Stranger => {
            return signals
                .turned_away(StatusCode::UNAUTHORIZED, "its Authorization is that of no such stream");
        }
    };
    let token = match token_of(request).await {
        Ok(token) => token,
        Err(why) => {
            let untaken = Untaken::Refused { code: "invalid_request", why: why.to_owned() };
            signals.log_disbelief(Kind::Ssf, &Disbelief::because(format!("stream {name}: {why}")));
            signals.metrics.count(Kind::Ssf, Outcome::Refused);
            return untaken.into_response();
        }
    };
    match signals.take(&in_use, stream, token).await {
        Ok(()) => StatusCode::ACCEPTED.into_response(),
        Err(untaken) => untaken.into_response(),
    }
}

/// Every stream's value is compared, so that the time tells nothing of which there are.
fn sender<'a>(in_use: &'a InUse, name: &str, headers: &HeaderMap) -> Sender<'a> {
    let mut shown = headers.get_all(header::AUTHORIZATION).iter();
    let shown = match (shown.next(), shown.next()) {
        (Some(value), None) => value.to_str().unwrap_or_default(),
        _ => "",
    };
    let mut found = Sender::Stranger;
    for stream in &in_use.settings.streams {
        let is_right = stream.authorization.as_ref().is_some_and(|file| file.current().is(shown));
        match (is_right, *stream.name == *name, &found) {
            (true, true, _) => found = Sender::Stream(stream),
            (true, false, Sender::Stranger) => found = Sender::Other,
            (true, false, _) | (false, ..) => {}
        }
    }
    found
}

async fn token_of(request: Request) -> Result<String, &'static str> {
    let mut types = request.headers().get_all(header::CONTENT_TYPE).iter();
    let named = match (types.next(), types.next()) {
        (Some(named), None) => named.to_str().unwrap_or_default(),
        _ => "",
    };
    let named = named.split(';').next().unwrap_or_default().trim();
    if !named.eq_ignore_ascii_case(CONTENT_TYPE) {
        return Err("its Content-Type is not application/secevent+jwt");
    }
    let bytes =
        Bytes::from_request(request, &()).await.map_err(|_| "its body is too large, or was cut off")?;
    let text = std::str::from_utf8(&bytes).map_err(|_| "its body is no security event token")?;
    Ok(text.trim_ascii().to_owned())
}

impl Signals {
    fn turned_away(&self, status: StatusCode, why: &str) -> Response {
        self.log_disbelief(Kind::Ssf, &Disbelief::because(why));
        self.metrics.count(Kind::Ssf, Outcome::Refused);
        if status == StatusCode::UNAUTHORIZED {
            return error(
                status,
                "authentication_failed",
                "Authorization is not the value of a stream of this name",
            );
        }
        status.into_response()
    }
}

impl IntoResponse for Untaken {
    fn into_response(self) -> Response {
        match self {
            Self::Refused { code, why } => error(StatusCode::BAD_REQUEST, code, &why),
            Self::Unavailable => Unavailable::default().into_response(),
            Self::Unheard(unheard) => unheard.into_response(),
        }
    }
}

/// RFC 8935 section 2.3.
fn error(status: StatusCode, err: &str, description: &str) -> Response {
    let language = [(header::CONTENT_LANGUAGE, LANGUAGE)];
    (status, language, Json(json!({ "err": err, "description": description }))).into_response()
}
