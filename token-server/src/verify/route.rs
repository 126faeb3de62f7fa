//! `/verify[/{policy}]`, for every method: Envoy asks with the method of the original request, and a proxy can be told to.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::Uri;
use axum::response::Response;
use axum::routing::any;

use super::Proxy;
use super::answer::{passed, refused};
use crate::api::{ApiError, App};

const PREFIX: &str = "/verify";

/// Adds the routes. Envoy alone appends the original path, so for others a longer path is no route.
pub(crate) fn add_routes(routes: Router<Arc<App>>, proxy: Option<Proxy>) -> Router<Arc<App>> {
    let routes = routes.route("/verify", any(verify));
    match proxy {
        Some(Proxy::Envoy) => routes.route("/verify/{*path}", any(verify)),
        Some(Proxy::Traefik | Proxy::Nginx) | None => routes.route("/verify/{policy}", any(verify)),
    }
}

async fn verify(State(app): State<Arc<App>>, request: Request) -> Result<Response, ApiError> {
    let verifier = app.verify.as_ref().ok_or(ApiError::NoRoute)?;
    let (parts, _body) = request.into_parts();
    let decision = verifier.judge(&app, &parts, policy(&parts.uri)).await;
    Ok(match decision {
        Ok(pass) => passed(&pass),
        Err(reject) => refused(reject, verifier.realm()),
    })
}

/// The policy that the path names, letter for letter. What Envoy appends behind it decides nothing.
fn policy(uri: &Uri) -> Option<&str> {
    let named = uri.path().strip_prefix(PREFIX)?.strip_prefix('/')?;
    Some(named.split_once('/').map_or(named, |(policy, _)| policy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_names_the_policy_and_nothing_behind_it_can() {
        for (uri, expected) in [
            ("/verify", None),
            ("/verify?policy=weak", None),
            ("/verify/admin", Some("admin")),
            ("/verify/admin/", Some("admin")),
            ("/verify/admin/weak", Some("admin")),
            ("/verify/admin/../weak", Some("admin")),
            ("/verify/admin/%2e%2e/weak?x=/verify/weak", Some("admin")),
            ("/verify/adm%69n", Some("adm%69n")),
            ("/verify//admin", Some("")),
            ("/verify/", Some("")),
        ] {
            assert_eq!(policy(&uri.parse().unwrap()), expected, "{uri}");
        }
    }
}
