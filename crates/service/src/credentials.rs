//! The `Authorization` header: `credentials = auth-scheme 1*SP token68` (RFC 7235 section 2.1).

use jose::Reject;

/// The token behind one of the accepted schemes, which are case-insensitive.
///
/// # Errors
///
/// [`Reject::Missing`] where there is no scheme or nothing behind it, [`Reject::Scheme`] for any other scheme.
pub fn token<'a>(value: &'a str, schemes: &[String]) -> Result<&'a str, Reject> {
    let value = value.trim_matches([' ', '\t']);
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if scheme.is_empty() {
        return Err(Reject::Missing);
    }
    if !schemes.iter().any(|accepted| accepted.eq_ignore_ascii_case(scheme)) {
        return Err(Reject::Scheme);
    }
    let token = token.trim_start_matches(' ');
    if token.is_empty() { Err(Reject::Missing) } else { Ok(token) }
}
