//! Nonces that a client must put into its next proof (RFC 9449 sections 8 and 9), made of a secret and the time, so that
//! programs that share the secret accept each other's and remember none.
//!
//! A nonce is base64url of 24 bytes: the minute since 1970 as a 64-bit number, big-endian, then the first 16 bytes of the
//! HMAC-SHA-256 of those eight under the secret.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};

use crate::{UnixTime, base64url};

/// The fewest bytes of a secret, as RFC 2104 section 3 asks of SHA-256.
pub const MIN_NONCE_SECRET_BYTES: usize = 32;

/// Minutes for which a nonce is accepted after the one that it was made in.
const ACCEPTED_MINUTES: i64 = 2;

/// Bytes of the HMAC that a nonce keeps: no guessing, half the length.
const TAG_BYTES: usize = 16;

/// The secret that nonces are made with.
#[derive(Clone)]
pub struct NonceSecret(Key);

impl NonceSecret {
    /// A secret of at least [`MIN_NONCE_SECRET_BYTES`]; `None` if it is shorter.
    pub fn new(secret: &[u8]) -> Option<Self> {
        (secret.len() >= MIN_NONCE_SECRET_BYTES).then(|| Self(Key::new(HMAC_SHA256, secret)))
    }

    /// The secret that a file holds: all of it but white space around it, such as the end of the line that
    /// `openssl rand -hex 32` writes. `None` if it is too short.
    pub fn of_file(content: &[u8]) -> Option<Self> {
        Self::new(content.trim_ascii())
    }

    /// The nonce that proofs must have from now on.
    pub fn nonce(&self, now: UnixTime) -> String {
        self.of_minute(minute(now))
    }

    /// Whether the nonce was made in this minute or one of the two before; or in the next one, by an agent whose clock is ahead.
    pub fn accepts(&self, nonce: &str, now: UnixTime) -> bool {
        let Some(made) = base64url::decode(nonce).ok().and_then(|bytes| bytes.first_chunk::<8>().copied())
        else {
            return false;
        };
        let made = i64::from_be_bytes(made);
        let age = minute(now).saturating_sub(made);
        (-1..=ACCEPTED_MINUTES).contains(&age)
            && verify_slices_are_equal(self.of_minute(made).as_bytes(), nonce.as_bytes()).is_ok()
    }

    fn of_minute(&self, minute: i64) -> String {
        let minute = minute.to_be_bytes();
        let tag = sign(&self.0, &minute);
        let bytes: Vec<u8> = minute.iter().chain(tag.as_ref().iter().take(TAG_BYTES)).copied().collect();
        base64url::encode(&bytes)
    }
}

fn minute(time: UnixTime) -> i64 {
    time.as_millis().div_euclid(60_000)
}

impl fmt::Debug for NonceSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NonceSecret").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(byte: u8) -> NonceSecret {
        NonceSecret::new(&[byte; 32]).unwrap()
    }

    #[test]
    fn a_nonce_counts_in_its_minute_and_the_two_after_it() {
        let ours = secret(1);
        let nonce = ours.nonce(UnixTime::from_secs(600));
        assert_eq!(nonce.len(), 32);
        assert_eq!(ours.nonce(UnixTime::from_millis(659_999)), nonce);
        assert_ne!(ours.nonce(UnixTime::from_secs(660)), nonce);
        for (at, expected) in [
            (539_999, false),
            (540_000, true),
            (600_000, true),
            (659_999, true),
            (779_999, true),
            (780_000, false),
        ] {
            assert_eq!(ours.accepts(&nonce, UnixTime::from_millis(at)), expected, "{at}");
        }
    }

    #[test]
    fn only_the_holder_of_the_secret_makes_one_that_counts() {
        let now = UnixTime::from_secs(1_700_000_000);
        let nonce = secret(1).nonce(now);
        assert!(!secret(2).accepts(&nonce, now));
        assert!(NonceSecret::new(&[1; 31]).is_none());
        for other in ["", "A", &nonce[..31], &format!("{nonce}A"), &nonce.to_lowercase(), &"A".repeat(32)] {
            assert!(!secret(1).accepts(other, now), "{other}");
        }
        for position in 0..nonce.len() {
            let mut forged = nonce.clone().into_bytes();
            forged[position] = if forged[position] == b'A' { b'B' } else { b'A' };
            assert!(!secret(1).accepts(std::str::from_utf8(&forged).unwrap(), now), "{position}");
        }
        for minute in [i64::MIN, -1, 0, i64::MAX] {
            assert!(!secret(1).accepts(&secret(1).of_minute(minute), now), "{minute}");
        }
    }

    #[test]
    fn white_space_around_the_content_of_a_file_is_not_part_of_the_secret() {
        let now = UnixTime::from_secs(600);
        let nonce = |content: &[u8]| NonceSecret::of_file(content).map(|secret| secret.nonce(now));
        let hex = "0f".repeat(32);
        assert_eq!(nonce(format!(" {hex}\r\n").as_bytes()), nonce(hex.as_bytes()));
        assert!(nonce(hex.as_bytes()).is_some());
        assert_eq!(nonce(&[b' '; 64]), None);
        assert_eq!(nonce(format!("{}\n\n", "x".repeat(31)).as_bytes()), None);
    }

    #[test]
    fn its_debug_tells_nothing() {
        assert_eq!(format!("{:?}", secret(7)), "NonceSecret { .. }");
    }
}
