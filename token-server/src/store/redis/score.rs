//! When a rule ends, as a score of Redis says it.

use rules::ExpireAt;

/// A score is a double. ms-users removes those from 1 to now, so that what is below 1 holds as long as what is infinite:
/// until it is deleted. Fractions end with the second that they are in.
pub(super) fn end_of(score: &str) -> ExpireAt {
    let seconds = score.parse::<i64>().ok().or_else(|| {
        let score = score.parse::<f64>().ok().filter(|score| *score >= 1.0)?;
        format!("{:.0}", score.ceil()).parse().ok()
    });
    seconds.filter(|seconds| *seconds >= 1).map_or(ExpireAt::Never, ExpireAt::from_seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_ends_and_what_has_no_end_never_ends() {
        for (score, end) in [
            ("0", ExpireAt::Never),
            ("1700000000", ExpireAt::At(1_700_000_000)),
            ("1700000000.25", ExpireAt::At(1_700_000_001)),
            ("1.7e9", ExpireAt::At(1_700_000_000)),
            ("1", ExpireAt::At(1)),
            ("1.5", ExpireAt::At(2)),
            ("-5", ExpireAt::Never),
            ("-1", ExpireAt::Never),
            ("-0", ExpireAt::Never),
            ("0.5", ExpireAt::Never),
            ("-0.5", ExpireAt::Never),
            ("-1e300", ExpireAt::Never),
            ("-inf", ExpireAt::Never),
            ("nan", ExpireAt::Never),
            ("what is no number", ExpireAt::Never),
            ("inf", ExpireAt::Never),
            ("1e300", ExpireAt::Never),
        ] {
            assert_eq!(end_of(score), end, "{score}");
        }
    }
}
