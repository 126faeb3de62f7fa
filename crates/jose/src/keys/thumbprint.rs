//! Hashes of a key's certificate, by which a token may name the key (RFC 7515 sections 4.1.7 and 4.1.8).

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};

/// The hashes that name a key. They choose which key is tried, and prove nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Thumbprints(Vec<Vec<u8>>);

impl Thumbprints {
    /// The members that hold one, of a key and of a token's header.
    pub(crate) const MEMBERS: [&'static str; 2] = ["x5t", "x5t#S256"];

    /// Both hashes of a certificate in DER.
    pub(crate) fn of(der: &[u8]) -> Self {
        let hash = |algorithm| digest(algorithm, der).as_ref().to_vec();
        Self(vec![hash(&SHA1_FOR_LEGACY_USE_ONLY), hash(&SHA256)])
    }

    /// One more. What is as long as no hash names nothing.
    pub(crate) fn add(&mut self, hash: Vec<u8>) {
        let is_hash =
            [&SHA1_FOR_LEGACY_USE_ONLY, &SHA256].iter().any(|known| known.output_len() == hash.len());
        if is_hash && !self.0.contains(&hash) {
            self.0.push(hash);
        }
    }

    /// Each hash with the member that holds such a one.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        let [sha1, sha256] = Self::MEMBERS;
        let name = move |hash: &[u8]| if hash.len() == SHA256.output_len() { sha256 } else { sha1 };
        self.0.iter().map(move |hash| (name(hash), hash.as_slice()))
    }

    /// Whether a hash is among both.
    pub(crate) fn meet(&self, other: &Self) -> bool {
        self.0.iter().any(|hash| other.0.contains(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hash_is_told_by_the_member_that_holds_such_a_one() {
        let of = Thumbprints::of(b"a certificate");
        let told: Vec<_> = of.named().map(|(name, hash)| (name, hash.len())).collect();
        assert_eq!(told, [("x5t", 20), ("x5t#S256", 32)]);
        let mut added = Thumbprints::default();
        for hash in [vec![1; 32], vec![2; 20], vec![3; 31], Vec::new(), vec![1; 32]] {
            added.add(hash);
        }
        let told: Vec<_> = added.named().map(|(name, hash)| (name, hash[0])).collect();
        assert_eq!(told, [("x5t#S256", 1), ("x5t", 2)]);
        assert!(!of.meet(&added) && added.meet(&added) && of.meet(&of));
    }
}
