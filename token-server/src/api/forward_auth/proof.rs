//! The proof that a client sends beside a token of the scheme `DPoP` (RFC 9449 section 7.1), and the request that it must be
//! for, as the proxy tells it.

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use jose::{AuthScheme, Reject, ShownProof};

use super::place::TokenPlace;
use super::proxy::{Original, Proxy, ReachedAt};

/// The header of the proof (RFC 9449 section 4.1).
const PROOF: HeaderName = HeaderName::from_static("dpop");

/// What a request proves; absent where its token has another scheme, beside which a proof is not looked at.
///
/// In it: [`Reject::Binding`] where there is no proof, [`Reject::DuplicateHeader`] for two (RFC 9449 section 4.3, check 1),
/// [`Reject::Proof`] for one that is no text, and [`Reject::Argument`] where the proxy does not tell the original request.
pub(super) fn shown<'a>(
    parts: &'a Parts,
    original: &Original<'a>,
    proxy: Option<Proxy>,
    places: &[TokenPlace],
) -> Option<Result<ShownProof<'a>, Reject>> {
    let is_proved = places.contains(&TokenPlace::Authorization) && has_scheme(&parts.headers);
    is_proved.then(|| {
        let proof = only(&parts.headers)?.into();
        let reached_at = ReachedAt::read(parts, proxy);
        Ok(ShownProof {
            proof,
            method: original.method.ok_or(Reject::Argument)?.into(),
            place: reached_at.map(|ReachedAt { is_tls, host }| (is_tls, host.into())),
            path: original.path()?.into(),
            // What names a request in its headers is the client's to choose: each proof counts once.
            request_id: None,
        })
    })
}

fn has_scheme(headers: &HeaderMap) -> bool {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    value.is_some_and(|value| AuthScheme::of(value) == AuthScheme::Dpop)
}

/// Some proxies write two headers as one with a comma, which no proof holds.
fn only(headers: &HeaderMap) -> Result<&str, Reject> {
    let mut values = headers.get_all(PROOF).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        let is_there = headers.contains_key(PROOF);
        return Err(if is_there { Reject::DuplicateHeader } else { Reject::Binding });
    };
    let proof = value.to_str().map_err(|_| Reject::Proof)?;
    if proof.contains(',') { Err(Reject::DuplicateHeader) } else { Ok(proof) }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, Request};

    use super::*;

    const PLACES: &[TokenPlace] = &[TokenPlace::Authorization];

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let mut parts = Request::builder().method("PATCH").uri("/verify").body(()).unwrap().into_parts().0;
        for (name, value) in headers {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            parts.headers.append(name.parse::<HeaderName>().unwrap(), value);
        }
        parts
    }

    fn read(headers: &[(&str, &str)], proxy: Option<Proxy>, places: &[TokenPlace]) -> Result<String, Reject> {
        let parts = parts(headers);
        let original = Original::read(&parts, proxy)?;
        Ok(match shown(&parts, &original, proxy, places) {
            None => "none".to_owned(),
            Some(shown) => {
                let ShownProof { proof, method, place, path, request_id } = shown?;
                assert_eq!(request_id, None);
                let place = place.map(|(is_tls, host)| format!("{is_tls} {host}")).unwrap_or_default();
                format!("{proof} {method} {place} {path}")
            }
        })
    }

    const TOLD: [(&str, &str); 4] = [
        ("x-forwarded-method", "GET"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "h"),
        ("x-forwarded-uri", "/a?b"),
    ];

    #[test]
    fn a_proof_is_read_beside_the_scheme_and_nowhere_else() {
        let with = |authorization, dpop: &[&'static str]| {
            let mut headers = vec![("authorization", authorization)];
            headers.extend(dpop.iter().map(|proof| ("dpop", *proof)));
            headers.extend(TOLD);
            headers
        };
        let good = Ok("a.b.c GET true h /a".to_owned());
        for (authorization, dpop, expected) in [
            ("DPoP x.y.z", &["a.b.c"][..], good.clone()),
            (" dpop  x.y.z", &["a.b.c"], good.clone()),
            ("DPOP x.y.z", &["a.b.c"], good),
            ("DPoP", &["a.b.c"], Ok("none".to_owned())),
            ("Bearer x.y.z", &["a.b.c"], Ok("none".to_owned())),
            ("DPoPx x.y.z", &["a.b.c"], Ok("none".to_owned())),
            ("", &["a.b.c"], Ok("none".to_owned())),
            ("DPoP x.y.z", &[], Err(Reject::Binding)),
            ("DPoP x.y.z", &["a.b.c", "a.b.c"], Err(Reject::DuplicateHeader)),
            ("DPoP x.y.z", &["a.b.c", ""], Err(Reject::DuplicateHeader)),
            ("DPoP x.y.z", &["a.b.c,d.e.f"], Err(Reject::DuplicateHeader)),
            ("DPoP x.y.z", &["\u{e9}"], Err(Reject::Proof)),
        ] {
            let read = read(&with(authorization, dpop), Some(Proxy::Traefik), PLACES);
            assert_eq!(read, expected, "{authorization} {dpop:?}");
        }
        let cookie = [TokenPlace::Cookie("session".to_owned())];
        let elsewhere = read(&with("DPoP x.y.z", &["a.b.c"]), Some(Proxy::Traefik), &cookie);
        assert_eq!(elsewhere, Ok("none".to_owned()));
    }

    #[test]
    fn what_the_proxy_does_not_tell_is_not_guessed() {
        let proved = [("authorization", "DPoP x.y.z"), ("dpop", "a.b.c"), ("host", "own")];
        for left_out in TOLD.map(|(name, _)| name) {
            let told = TOLD.iter().filter(|(name, _)| *name != left_out);
            let headers: Vec<_> = proved.iter().chain(told).copied().collect();
            let expected = match left_out {
                "x-forwarded-proto" | "x-forwarded-host" => Ok("a.b.c GET  /a".to_owned()),
                _ => Err(Reject::Argument),
            };
            assert_eq!(read(&headers, Some(Proxy::Traefik), PLACES), expected, "{left_out}");
        }
        let all: Vec<_> = proved.iter().chain(&TOLD).copied().collect();
        for proxy in [None, Some(Proxy::Nginx), Some(Proxy::Envoy)] {
            assert_eq!(read(&all, proxy, PLACES), Err(Reject::Argument), "{proxy:?}");
        }
    }
}
