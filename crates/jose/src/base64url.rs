//! base64url as RFC 7515 section 2 has it: no padding, no white space, no other alphabet, no stray bits.
//!
//! One byte string has one encoding, so a token cannot be varied without being another token.

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};

/// The text is not base64url in its one canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotBase64Url;

/// The one text that stands for the bytes.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Whether the text stands for this hash.
pub(crate) fn is_hash(text: &str, hash: &[u8]) -> bool {
    // The text of 32 bytes.
    let mut encoded = [0; 43];
    URL_SAFE_NO_PAD.encode_slice(hash, &mut encoded) == Ok(encoded.len()) && text.as_bytes() == encoded
}

/// The bytes that the text stands for.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, NotBase64Url> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| NotBase64Url)
}

/// The bytes of a text that is padded as RFC 4648 section 3.2 wants: again one encoding of each byte string.
pub(crate) fn decode_padded(text: &str) -> Result<Vec<u8>, NotBase64Url> {
    URL_SAFE.decode(text).map_err(|_| NotBase64Url)
}

/// The bytes, also where the text is padded or of the standard alphabet (RFC 4648 section 4): for the parameters of keys,
/// which are compared as bytes. A token is never read by it.
pub(crate) fn decode_tolerantly(text: &str) -> Result<Vec<u8>, NotBase64Url> {
    let unpadded = text.trim_end_matches('=');
    if unpadded.len() != text.len() && (!text.len().is_multiple_of(4) || text.len() - unpadded.len() > 2) {
        return Err(NotBase64Url);
    }
    decode(&unpadded.replace('+', "-").replace('/', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_one_encoding_of_a_byte_string_and_no_other() {
        assert_eq!(decode(""), Ok(vec![]));
        assert_eq!(decode("-_8"), Ok(vec![0xfb, 0xff]));
        assert_eq!(encode(&[0xfb, 0xff]), "-_8");
        for text in ["-_9", "_x", "-_8=", "+/8", "-_ 8", "-_8\n", " -_8", "A", "AAAAA", "ä", "-_8\0", "-.8"]
        {
            assert_eq!(decode(text), Err(NotBase64Url), "{text:?}");
        }
    }

    #[test]
    fn a_hash_has_one_text() {
        let hash = [0xfb; 32];
        let text = encode(&hash);
        assert!(is_hash(&text, &hash));
        assert!(!is_hash(&text, &[0xfa; 32]));
        for other in ["", &text[1..], &format!("{text}="), &format!("{text}A"), &text.replace('-', "+")] {
            assert!(!is_hash(other, &hash), "{other}");
        }
        for other in [&[][..], &[0xfb; 31], &[0xfb; 33]] {
            assert!(!is_hash(&encode(other), other), "{other:?}: of no hash");
        }
    }

    #[test]
    fn padding_has_one_form_too() {
        for (text, bytes) in [("", &[][..]), ("AA==", &[0]), ("-_8=", &[0xfb, 0xff]), ("AAAA", &[0, 0, 0])] {
            assert_eq!(decode_padded(text).as_deref(), Ok(bytes), "{text:?}");
        }
        for text in [
            "AA",
            "AA=",
            "AA===",
            "-_8",
            "-_8==",
            "+/8=",
            "AB==",
            "-_9=",
            "AAAA=",
            "AAAA====",
            "=",
            "====",
            "A===",
            "AA==AA==",
            "AA=A",
            "=AA=",
            "AA%3D%3D",
            "-_8=\n",
            " -_8=",
            "-_8= ",
            "-_8\u{ff1d}",
        ] {
            assert_eq!(decode_padded(text), Err(NotBase64Url), "{text:?}");
        }
    }

    #[test]
    fn parameters_of_keys_may_be_padded_and_of_the_standard_alphabet() {
        for text in ["-_8", "+/8", "-_8=", "+/8=", "+_8"] {
            assert_eq!(decode_tolerantly(text), Ok(vec![0xfb, 0xff]), "{text:?}");
        }
        assert_eq!(decode_tolerantly("AA=="), Ok(vec![0]));
        for text in [
            "=", "====", "AA=", "AAA==", "AAAA=", "AAAA====", "AB=", "-_9=", "A===", "AA==AA==", "-_8=\n",
            " +/8",
        ] {
            assert_eq!(decode_tolerantly(text), Err(NotBase64Url), "{text:?}");
        }
    }
}
