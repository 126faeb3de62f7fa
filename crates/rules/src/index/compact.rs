//! Rules that only compare, in a form that a match reads at once: two neighbouring lines of the processor's cache, where the
//! rule itself is spread over memory and each step from part to part may wait for it.
//!
//! ```text
//! condition   name length (1) | name | comparison and kind (1) | value
//! value       null, booleans: nothing; number: 8 bytes, little endian; text: length (1) | text
//! ```
//!
//! All conditions must hold. Whatever does not fit is held against the claims as it was parsed.

use crate::condition::{Condition, Mode};
use crate::field::Field;
use crate::js::{Operand, Right};
use crate::operator::{Comparison, Test};
use crate::payload::Payload;
use crate::token::ISSUED_AT;
use crate::{ExpireAt, Rule};

/// What is left of two lines of 64 bytes beside the other parts.
const CODE_BYTES: usize = 118;

const COMPARISONS: [Comparison; 6] =
    [Comparison::Eq, Comparison::Ne, Comparison::Gt, Comparison::Gte, Comparison::Lt, Comparison::Lte];

/// The number of kinds, so that one byte tells a comparison and a kind.
const KINDS: u8 = 5;

/// A rule's end and conditions.
#[derive(Debug, Clone)]
#[repr(align(64))]
pub(super) struct Compact {
    end: i64,
    ends: bool,
    len: u8,
    code: [u8; CODE_BYTES],
}

/// How a rule's conditions stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Holds,
    Fails,
    /// The conditions are not here.
    Elsewhere,
}

/// The length of code that is not here.
const ELSEWHERE: u8 = u8::MAX;

impl Compact {
    pub(super) fn new(rule: &Rule, expire_at: ExpireAt) -> Self {
        let mut code = [0; CODE_BYTES];
        let len = encode(rule, &mut code).unwrap_or(ELSEWHERE);
        let mut compact = Self { end: 0, ends: false, len, code };
        compact.set_end(expire_at);
        compact
    }

    /// Whether the conditions are here.
    pub(super) fn is_whole(&self) -> bool {
        self.len != ELSEWHERE
    }

    pub(super) fn expire_at(&self) -> ExpireAt {
        if self.ends { ExpireAt::At(self.end) } else { ExpireAt::Never }
    }

    pub(super) fn set_end(&mut self, expire_at: ExpireAt) {
        self.ends = expire_at != ExpireAt::Never;
        self.end = expire_at.as_seconds();
    }

    pub(super) fn check(&self, payload: &Payload<'_>) -> Outcome {
        if !self.is_whole() {
            return Outcome::Elsewhere;
        }
        // Both lines are fetched together here, and not one after the other.
        let code = self.code;
        let mut rest = code.get(..usize::from(self.len)).unwrap_or_default();
        let latest = payload.is_undated().then(|| latest(rest)).flatten();
        while !rest.is_empty() {
            match condition(&mut rest) {
                Some((name, comparison, value)) => {
                    let holds = comparison.holds(payload.claims.get(name), value, payload)
                        || (payload.is_undated()
                            && name == ISSUED_AT
                            && comparison.holds_undated(value, latest));
                    if !holds {
                        return Outcome::Fails;
                    }
                }
                // Nothing but what `encode` writes is read here.
                None => return Outcome::Elsewhere,
            }
        }
        Outcome::Holds
    }
}

/// Writes a rule's conditions and tells how many bytes that took; `None` when it cannot be said or does not fit.
fn encode(rule: &Rule, code: &mut [u8]) -> Option<u8> {
    if rule.root.mode != Mode::All {
        return None;
    }
    let mut writer = Writer { code, len: 0 };
    for condition in &rule.root.conditions {
        match condition {
            Condition::Test { field, test: Test::Compare(comparison, operand) } if !field.is_path() => {
                writer.condition(field, *comparison, operand)?;
            }
            Condition::Test { .. } | Condition::Group(_) => return None,
        }
    }
    u8::try_from(writer.len).ok()
}

struct Writer<'a> {
    code: &'a mut [u8],
    len: usize,
}

impl Writer<'_> {
    fn condition(&mut self, field: &Field, comparison: Comparison, operand: &Operand) -> Option<()> {
        self.text(field.name())?;
        let comparison = COMPARISONS.iter().position(|known| *known == comparison)?;
        let kind = match operand {
            Operand::Null => 0,
            Operand::Bool(false) => 1,
            Operand::Bool(true) => 2,
            Operand::Number(_) => 3,
            Operand::Text(_) => 4,
        };
        self.bytes(&[u8::try_from(comparison).ok()?.checked_mul(KINDS)?.checked_add(kind)?])?;
        match operand {
            Operand::Null | Operand::Bool(_) => Some(()),
            Operand::Number(number) => self.bytes(&number.to_le_bytes()),
            Operand::Text(text) => self.text(text),
        }
    }

    fn text(&mut self, text: &str) -> Option<()> {
        self.bytes(&[u8::try_from(text.len()).ok()?])?;
        self.bytes(text.as_bytes())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.len.checked_add(bytes.len())?;
        self.code.get_mut(self.len..end)?.copy_from_slice(bytes);
        self.len = end;
        Some(())
    }
}

/// The latest time of issue that the conditions admit, if there is a bound on it.
fn latest(mut rest: &[u8]) -> Option<f64> {
    std::iter::from_fn(|| condition(&mut rest))
        .filter(|(name, _, _)| *name == ISSUED_AT)
        .filter_map(|(_, comparison, value)| comparison.latest(value))
        .reduce(f64::min)
}

/// Takes one condition off the code.
fn condition<'a>(rest: &mut &'a [u8]) -> Option<(&'a str, Comparison, Right<'a>)> {
    let name = text(rest)?;
    let [byte] = *take::<1>(rest)?;
    let comparison = *COMPARISONS.get(usize::from(byte.checked_div(KINDS)?))?;
    let value = match byte.checked_rem(KINDS)? {
        0 => Right::Null,
        1 => Right::Bool(false),
        2 => Right::Bool(true),
        3 => Right::Number(f64::from_le_bytes(*take(rest)?)),
        _ => Right::Text(text(rest)?),
    };
    Some((name, comparison, value))
}

fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let [len] = *take::<1>(rest)?;
    let (text, behind) = rest.split_at_checked(usize::from(len))?;
    *rest = behind;
    std::str::from_utf8(text).ok()
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (taken, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Claims;

    #[test]
    fn a_rule_takes_two_lines_of_cache() {
        assert_eq!((size_of::<Compact>(), align_of::<Compact>()), (128, 64));
    }

    #[test]
    fn rules_that_only_compare_are_here_and_the_others_elsewhere() {
        let long = format!(r#"{{"rt":"{}"}}"#, "x".repeat(200));
        let fits = format!(r#"{{"rt":"{}"}}"#, "x".repeat(CODE_BYTES - 5));
        let one_too_long = format!(r#"{{"rt":"{}"}}"#, "x".repeat(CODE_BYTES - 4));
        for (json, whole) in [
            ("{}", true),
            (r#"{"rt":"x","iat":{"lt":5,"gte":1},"a":null,"b":true,"c":{"ne":false}}"#, true),
            (fits.as_str(), true),
            (one_too_long.as_str(), false),
            (long.as_str(), false),
            (r#"{"_or":true,"a":1}"#, false),
            (r#"{"a.b":1}"#, false),
            (r#"{"a":{"sw":"x"}}"#, false),
            (r#"{"a":{"regex":"x"}}"#, false),
            (r#"{"x":{"_or":true,"a":{"eq":1},"b":{"eq":2}}}"#, false),
        ] {
            let rule = Rule::parse(json).expect(json);
            assert_eq!(Compact::new(&rule, ExpireAt::Never).is_whole(), whole, "{json}");
        }
    }

    #[test]
    fn conditions_here_hold_as_the_rule_does() {
        let values = ["null", "true", "false", "0", "-0", "1.5", "\"\"", "\"1.5\"", "\"ä\"", "[1]", "{}"];
        for operator in ["eq", "ne", "gt", "gte", "lt", "lte"] {
            for operand in values.iter().take(9) {
                let rule = Rule::parse(&format!(r#"{{"a":{{"{operator}":{operand}}}}}"#)).expect("a rule");
                let compact = Compact::new(&rule, ExpireAt::At(7));
                assert_eq!(compact.expire_at(), ExpireAt::At(7));
                for claims in
                    values.iter().map(|value| format!(r#"{{"a":{value}}}"#)).chain(["{}".to_owned()])
                {
                    let claims: Claims = serde_json::from_str(&claims).expect("claims");
                    let expected = if rule.matches(&claims) { Outcome::Holds } else { Outcome::Fails };
                    let outcome = compact.check(&Payload::new(&claims));
                    assert_eq!(outcome, expected, "{} of {claims:?}", rule.canonical());
                }
            }
        }
    }
}
