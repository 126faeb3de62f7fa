//! What browsers do for pages of others, and what must not come of it: a page of another site that has the user's browser
//! write here (cross-site request forgery), and one whose name suddenly means this machine (DNS rebinding). Tools that are no
//! browser show nothing of this, and are not touched.

use axum::extract::Request;
use axum::http::header::{HOST, HeaderName, ORIGIN};
use axum::http::{HeaderMap, Method, Uri};
use axum::middleware::Next;
use axum::response::Response;

use super::error::ApiError;

/// What a browser says of where a request comes from (Fetch Metadata Request Headers section 2.3). Pages cannot set it.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses what a page of another site has a browser write.
pub(super) async fn refuse_other_sites(request: Request, next: Next) -> Result<Response, ApiError> {
    if writes_for_another_site(request.method(), request.headers()) {
        return Err(ApiError::OtherSite);
    }
    Ok(next.run(request).await)
}

/// Refuses what asks for this machine under a name of a domain.
pub(super) async fn refuse_other_names(request: Request, next: Next) -> Result<Response, ApiError> {
    if has_another_name(request.uri(), request.headers()) {
        return Err(ApiError::OtherName);
    }
    Ok(next.run(request).await)
}

/// Whether a page of another origin had a browser send this, and it may change something. Of a browser that does not tell (an
/// old one, or one that speaks plain HTTP with another machine), `Origin` has to be where the request went.
pub(crate) fn writes_for_another_site(method: &Method, headers: &HeaderMap) -> bool {
    if method.is_safe() {
        return false;
    }
    let told = |name: &HeaderName| headers.get_all(name).iter().map(|value| value.as_bytes());
    let mut sites = told(&SEC_FETCH_SITE).peekable();
    if sites.peek().is_some() {
        return sites.any(|site| !matches!(site, b"same-origin" | b"none"));
    }
    let host = told(&HOST).next().unwrap_or_default();
    told(&ORIGIN).any(|origin| !is_origin_of(origin, host))
}

/// Whether the browser looked up a name of a domain to get here; such a name may mean another machine a second later. A
/// request without any name comes from no browser.
pub(crate) fn has_another_name(uri: &Uri, headers: &HeaderMap) -> bool {
    let authority = uri.authority().map(|authority| authority.as_str().as_bytes());
    let hosts = headers.get_all(HOST).iter().map(|value| value.as_bytes());
    hosts.chain(authority).any(|host| !std::str::from_utf8(host).is_ok_and(is_of_this_machine))
}

fn is_origin_of(origin: &[u8], host: &[u8]) -> bool {
    let rest = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
    rest.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

/// `localhost`, a name below it (RFC 6761 section 6.3), or an IP address, which no DNS server is asked about.
fn is_of_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let lower = name.to_ascii_lowercase();
    let lower = lower.strip_suffix('.').unwrap_or(&lower);
    lower == "localhost" || lower.ends_with(".localhost") || name.parse::<std::net::IpAddr>().is_ok()
}
