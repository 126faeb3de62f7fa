//! Short names for claims whose own names are long: `role` for `http://schemas.microsoft.com/ws/2008/06/identity/claims/role`.
//!
//! A short name always means the claim that it stands for. A claim of the token that is called like it cannot take that
//! place, also where the other one is absent.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The longest short name: with what HAProxy puts before it (`txn.tkn.payload.`), the longest variable that is sent.
const MAX_BYTES: usize = 40;

/// Claims that are judged by these names, whatever else is called so.
const JUDGED: [&str; 12] =
    ["aud", "cnf", "events", "exp", "iat", "irt", "iss", "nbf", "st", "sub", "tid", "username"];

/// Short names, each with the claim that it stands for; by default none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClaimNames(Option<Arc<BTreeMap<String, String>>>);

/// Why a short name cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimNameError {
    /// It could not be a variable's name, or be the beginning of a path.
    #[error("{0}: expected a short name of letters, digits and _, at most 40")]
    Short(String),
    /// It is the name of a claim that is judged.
    #[error("{0} is judged as the claim of exactly that name; choose another short name")]
    Judged(String),
    /// It stands for nothing.
    #[error("{0} stands for no claim: write the claim's name, or a path to it")]
    Claim(String),
}

impl ClaimNames {
    /// Short names, each with the name of the claim, or a path to it.
    ///
    /// # Errors
    ///
    /// See [`ClaimNameError`].
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, ClaimNameError> {
        let mut names = BTreeMap::new();
        for (short, claim) in pairs {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if short.is_empty() || short.len() > MAX_BYTES || !short.bytes().all(fits) {
                return Err(ClaimNameError::Short(short));
            }
            if JUDGED.contains(&short.as_str()) {
                return Err(ClaimNameError::Judged(short));
            }
            if claim.trim().is_empty() {
                return Err(ClaimNameError::Claim(short));
            }
            names.insert(short, claim);
        }
        Ok(Self(Some(names).filter(|names| !names.is_empty()).map(Arc::new)))
    }

    /// These, and those of `below` that are not among them.
    #[must_use]
    pub fn over(&self, below: &Self) -> Self {
        match (&self.0, &below.0) {
            (_, None) => self.clone(),
            (None, Some(_)) => below.clone(),
            (Some(own), Some(others)) if Arc::ptr_eq(own, others) => self.clone(),
            (Some(own), Some(others)) => {
                let mut all = BTreeMap::clone(others);
                all.extend(own.iter().map(|(short, claim)| (short.clone(), claim.clone())));
                Self(Some(Arc::new(all)))
            }
        }
    }

    /// Where a path leads to in the token: the same, but for a short name that it begins with.
    pub fn path<'p>(&self, path: &'p str) -> Cow<'p, str> {
        let Some(names) = &self.0 else {
            return Cow::Borrowed(path);
        };
        let (first, rest) = path.split_at(path.find(['.', '[']).unwrap_or(path.len()));
        names.get(first).map_or(Cow::Borrowed(path), |claim| Cow::Owned([claim, rest].concat()))
    }

    /// Whether a path begins with a short name.
    pub fn has(&self, path: &str) -> bool {
        let first = || path.split(['.', '[']).next().unwrap_or(path);
        self.0.as_ref().is_some_and(|names| names.contains_key(first()))
    }

    /// The short names, each with its claim, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|names| names.iter().map(|(short, claim)| (short.as_str(), claim.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pairs: &[(&str, &str)]) -> ClaimNames {
        let pairs = pairs.iter().map(|(short, claim)| ((*short).to_owned(), (*claim).to_owned()));
        ClaimNames::new(pairs).unwrap()
    }

    #[test]
    fn a_path_that_begins_with_a_short_name_leads_to_its_claim() {
        let names = names(&[("role", "http://a.example/role"), ("other", "role")]);
        for (path, leads_to) in [
            ("role", "http://a.example/role"),
            ("role.x", "http://a.example/role.x"),
            ("role[0].x", "http://a.example/role[0].x"),
            ("other", "role"),
            ("roles", "roles"),
            ("Role", "Role"),
            ("x.role", "x.role"),
            ("", ""),
        ] {
            assert_eq!(names.path(path), leads_to, "{path}");
            assert_eq!(names.has(path), path != leads_to, "{path}");
        }
    }

    #[test]
    fn names_lie_over_others_and_the_upper_one_counts() {
        let (upper, lower) = (names(&[("a", "1"), ("b", "2")]), names(&[("b", "3"), ("c", "4")]));
        let both = upper.over(&lower);
        assert_eq!(both.iter().collect::<Vec<_>>(), [("a", "1"), ("b", "2"), ("c", "4")]);
        let none = ClaimNames::default();
        assert_eq!((upper.over(&none), none.over(&lower), none.over(&none)), (upper, lower, none.clone()));
    }

    #[test]
    fn a_short_name_can_be_a_variable_and_hides_no_claim_that_is_judged() {
        let longest = "l".repeat(MAX_BYTES);
        let read = |short: &str, claim: &str| ClaimNames::new([(short.to_owned(), claim.to_owned())]);
        assert!(read(&longest, "c").is_ok());
        for short in ["", "a.b", "a-b", "a b", "a[0]", "ключ", &format!("{longest}l")] {
            assert_eq!(read(short, "c"), Err(ClaimNameError::Short(short.to_owned())), "{short}");
        }
        for short in JUDGED {
            assert_eq!(read(short, "c"), Err(ClaimNameError::Judged(short.to_owned())), "{short}");
        }
        assert_eq!(read("role", " "), Err(ClaimNameError::Claim("role".to_owned())));
    }
}
