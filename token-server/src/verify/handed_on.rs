//! Claims as texts that an application is handed.
//!
//! A value can be taken apart again: it is percent-encoded (RFC 3986 section 2.1) where a byte is no visible ASCII, is `%`
//! or stands for the comma that joins arrays, and a space stays a space only between other characters. No value can
//! end a line, look like two, or come out as another subject's name, whatever carries it.

use bytes::Bytes;
use jose::{Claim, ClaimNames, Claims, Reject};

/// Bytes of all values of one answer. Proxies hold an answer's head in 4 to 8 KiB.
const MAX_BYTES: usize = 4 * 1024;

/// The claims, or paths to claims, that the application learns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HandedOn(Vec<String>);

impl HandedOn {
    /// These claims.
    pub fn new(claims: Vec<String>) -> Self {
        Self(claims)
    }

    /// The value of each claim, empty where it is absent; the claims may have these short names.
    ///
    /// # Errors
    /// [`Reject::AnswerSize`]
    pub(super) fn of(&self, claims: &Claims, names: &ClaimNames) -> Result<Vec<Bytes>, Reject> {
        let mut left = MAX_BYTES;
        self.0
            .iter()
            .map(|claim| {
                let value = claims.path(&names.path(claim)).map(|claim| value(&claim)).unwrap_or_default();
                left = left.checked_sub(value.len()).ok_or(Reject::AnswerSize)?;
                Ok(value.into())
            })
            .collect()
    }
}

fn value(claim: &Claim<'_>) -> String {
    match claim {
        Claim::Null => String::new(),
        Claim::Bool(truth) => truth.to_string(),
        Claim::Int(number) => number.to_string(),
        Claim::Number(literal) => (*literal).to_owned(),
        Claim::String(text) => encoded(text, true),
        Claim::Json(json) => joined(json).unwrap_or_else(|| encoded(json, false)),
    }
}

/// An array of simple values, joined by commas; absent for anything else.
fn joined(json: &str) -> Option<String> {
    let elements: Vec<serde_json::Value> = serde_json::from_str(json).ok()?;
    let texts: Option<Vec<String>> = elements
        .iter()
        .map(|element| match element {
            serde_json::Value::String(text) => Some(encoded(text, true)),
            serde_json::Value::Number(_) | serde_json::Value::Bool(_) => Some(element.to_string()),
            serde_json::Value::Null | serde_json::Value::Array(_) | serde_json::Value::Object(_) => None,
        })
        .collect();
    texts.map(|texts| texts.join(","))
}

fn encoded(text: &str, commas_too: bool) -> String {
    let last = text.len().saturating_sub(1);
    let mut safe = String::with_capacity(text.len());
    for (place, byte) in text.bytes().enumerate() {
        let plain = match byte {
            b' ' => place > 0 && place < last,
            b',' => !commas_too,
            b'%' => false,
            _ => byte.is_ascii_graphic(),
        };
        if plain {
            safe.push(char::from(byte));
        } else {
            safe.push('%');
            safe.extend(
                [byte >> 4, byte & 15]
                    .map(|half| char::from_digit(half.into(), 16).unwrap_or('0').to_ascii_uppercase()),
            );
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(claims: &[&str], of: &Claims, names: &ClaimNames) -> Result<Vec<String>, Reject> {
        let handed_on = HandedOn::new(claims.iter().map(|claim| (*claim).to_owned()).collect());
        let values = handed_on.of(of, names)?;
        Ok(values.into_iter().map(|value| String::from_utf8(value.to_vec()).unwrap()).collect())
    }

    fn sent(claim: &str) -> String {
        let claims = Claims::parse(format!(r#"{{"a":{claim}}}"#).as_bytes()).unwrap();
        texts(&["a"], &claims, &ClaimNames::default()).unwrap().remove(0)
    }

    #[test]
    fn values_are_safe_and_can_be_told_apart() {
        for (claim, expected) in [
            (r#""anna""#, "anna"),
            (r#""Anna B""#, "Anna B"),
            (r#"" anna""#, "%20anna"),
            (r#""anna ""#, "anna%20"),
            (r#"" ""#, "%20"),
            (r#""a\r\nX-Admin: 1""#, "a%0D%0AX-Admin: 1"),
            (r#""a\u0000\u007f""#, "a%00%7F"),
            (r#""é""#, "%C3%A9"),
            (r#""100%""#, "100%25"),
            (r#""a,b""#, "a%2Cb"),
            (r#"["a","b c"]"#, "a,b c"),
            (r#"["a,b"]"#, "a%2Cb"),
            (r#"["a","b "]"#, "a,b%20"),
            (r#"[1,true]"#, "1,true"),
            ("[]", ""),
            (r#"[["a"]]"#, r#"[["a"]]"#),
            (r#"{"x":["é",1]}"#, r#"{"x":["%C3%A9",1]}"#),
            ("12345678901234567", "12345678901234567"),
            ("1.50", "1.50"),
            ("true", "true"),
            ("null", ""),
            (r#""""#, ""),
        ] {
            assert_eq!(sent(claim), expected, "{claim}");
        }
    }

    #[test]
    fn an_absent_claim_is_handed_on_empty_and_a_path_reaches_inside() {
        let claims =
            Claims::parse(br#"{"sub":7,"realm":{"roles":["a","b"]},"none":"x","long":["y"]}"#).unwrap();
        let sent = |claim: &str| {
            let names = ClaimNames::new([("none".to_owned(), claim.to_owned())]).unwrap();
            texts(&["sub", "realm.roles", "none"], &claims, &names).unwrap()
        };
        assert_eq!(sent("absent"), ["7", "a,b", ""]);
        assert_eq!(sent("long"), ["7", "a,b", "y"]);
        let long = format!(r#"{{"sub":"{}"}}"#, "x".repeat(MAX_BYTES + 1));
        assert_eq!(
            texts(&["sub"], &Claims::parse(long.as_bytes()).unwrap(), &ClaimNames::default()),
            Err(Reject::AnswerSize)
        );
    }
}
