//! `/verify[/{policy}]`, for every method: Envoy asks with the method of the original request, and a proxy can be told to.
//!
//! These routes stand beside the router of the others. They are asked about every request of every application, and the
//! router's layers would cost half as much as the verdict; they need none of them: no body is read, and what a
//! verdict may wait for has limits of its own.

use std::sync::Arc;
use std::time::Instant;

use axum::http::request::Parts;
use axum::response::Response;

use super::app::App;
use super::forward_auth::Proxy;

/// The routes on which proxies ask.
#[derive(Clone)]
pub(super) struct VerifyRoutes(Arc<App>);

/// What a proxy asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked<'a> {
    /// The route, as metrics name it.
    pattern: &'static str,
    /// The policy that the path names, letter for letter.
    policy: Option<&'a str>,
}

impl VerifyRoutes {
    /// By the configuration in use.
    pub(super) fn new(app: &Arc<App>) -> Self {
        Self(Arc::clone(app))
    }

    /// Answers, and measures how long it took; absent for other routes, and where nothing is configured that could verify.
    pub(super) async fn answer(&self, parts: &Parts) -> Option<Response> {
        let start = Instant::now();
        let app = &self.0;
        let in_use = app.in_use.load_full()?;
        let forward_auth = &in_use.forward_auth;
        let asked = asked(parts.uri.path(), forward_auth.proxy())?;
        let response = forward_auth.answer(parts, asked.policy, &app.basis, app.now()).await;
        let (status, took) = (response.status().as_u16(), start.elapsed());
        app.metrics.observe_request(asked.pattern.into(), status, took);
        Some(response)
    }
}

/// Envoy alone appends the original path, which decides nothing; for others a longer path is no route.
fn asked(path: &str, proxy: Option<Proxy>) -> Option<Asked<'_>> {
    let rest = path.strip_prefix("/verify")?;
    if rest.is_empty() {
        return Some(Asked { pattern: "/verify", policy: None });
    }
    let named = rest.strip_prefix('/').filter(|named| !named.is_empty())?;
    match (proxy, named.split_once('/')) {
        (Some(Proxy::Envoy), longer) => {
            let policy = longer.map_or(named, |(policy, _)| policy);
            Some(Asked { pattern: "/verify/{*path}", policy: Some(policy) })
        }
        (Some(Proxy::Traefik | Proxy::Nginx) | None, None) => {
            Some(Asked { pattern: "/verify/{policy}", policy: Some(named) })
        }
        (Some(Proxy::Traefik | Proxy::Nginx) | None, Some(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_names_the_policy_and_nothing_behind_it_can() {
        let (alone, named, longer) = ("/verify", "/verify/{policy}", "/verify/{*path}");
        for (path, envoy, others) in [
            ("/verify", Some((alone, None)), Some((alone, None))),
            ("/verify/admin", Some((longer, Some("admin"))), Some((named, Some("admin")))),
            ("/verify/adm%69n", Some((longer, Some("adm%69n"))), Some((named, Some("adm%69n")))),
            (
                "/verify/admin%2Fweak",
                Some((longer, Some("admin%2Fweak"))),
                Some((named, Some("admin%2Fweak"))),
            ),
            ("/verify/admin/", Some((longer, Some("admin"))), None),
            ("/verify/admin/weak", Some((longer, Some("admin"))), None),
            ("/verify/admin/../weak", Some((longer, Some("admin"))), None),
            ("/verify/admin/%2e%2e/weak", Some((longer, Some("admin"))), None),
            ("/verify//admin", Some((longer, Some(""))), None),
            ("/verify/", None, None),
            ("/verifyadmin", None, None),
            ("/%76erify", None, None),
            ("/x/verify", None, None),
            ("/", None, None),
            ("", None, None),
        ] {
            for (proxy, expected) in [
                (Some(Proxy::Envoy), envoy),
                (Some(Proxy::Nginx), others),
                (Some(Proxy::Traefik), others),
                (None, others),
            ] {
                let expected = expected.map(|(pattern, policy)| Asked { pattern, policy });
                assert_eq!(asked(path, proxy), expected, "{path} {proxy:?}");
            }
        }
    }
}
