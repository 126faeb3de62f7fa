//! Answers in words that people understand, and texts of others made harmless for a terminal.

use jose::UnixTime;
use serde_json::Value;

use crate::payload::seconds;
use crate::when;
use crate::whole::Whole;

/// A text that others chose, such as a user's name, on one line of a terminal: what a terminal obeys, and what turns or hides
/// letters, is shown by its number.
pub(super) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_hidden(letter) {
            shown.extend(letter.escape_unicode());
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// The same for a text of several lines, which are ours.
pub(super) fn shown_lines(text: &str) -> String {
    text.split('\n').map(shown).collect::<Vec<_>>().join("\n")
}

/// Control characters, and those of Unicode that have no form of their own: marks of direction, spaces without width, tags.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A text as an argument of a command that can be typed again, in a shell such as bash.
pub(super) fn argument(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:@%+,=".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    if !text.chars().any(is_hidden) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let mut quoted = "$'".to_owned();
    for letter in text.chars() {
        match letter {
            '\'' | '\\' => quoted.extend(['\\', letter]),
            letter if is_hidden(letter) => {
                let mut bytes = [0; 4];
                let bytes = letter.encode_utf8(&mut bytes).bytes();
                quoted.extend(bytes.map(|byte| format!(r"\x{byte:02x}")));
            }
            letter => quoted.push(letter),
        }
    }
    quoted + "'"
}

/// `2026-11-27T23:06:50Z (4 min ago)`
pub(super) fn moment(at: UnixTime, now: UnixTime) -> String {
    format!("{} ({})", when::iso(at), distance(at, now))
}

/// `4 min ago`, `in 30 days`, `now`: the largest unit, rounded.
pub(super) fn distance(at: UnixTime, now: UnixTime) -> String {
    let ahead = at.as_millis().saturating_sub(now.as_millis());
    let length = length(ahead.unsigned_abs().saturating_add(500) / 1000);
    match ahead {
        -999..=999 => "now".to_owned(),
        ..=-1000 => format!("{length} ago"),
        1000.. => format!("in {length}"),
    }
}

/// `15 min`
pub(super) fn length(seconds: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let rounded = |unit: u64| seconds.saturating_add(unit / 2) / unit;
    if seconds < MINUTE {
        format!("{seconds} s")
    } else if rounded(MINUTE) < 60 {
        format!("{} min", rounded(MINUTE))
    } else if rounded(HOUR) < 48 {
        format!("{} h", rounded(HOUR))
    } else {
        format!("{} days", rounded(DAY))
    }
}

/// Which tokens a rule of an answer refuses.
pub(super) fn tokens(rule: &Value) -> String {
    match (rule.get("rule"), rule.get("text").and_then(Value::as_str)) {
        (Some(rule), _) => tokens_of(rule),
        (None, text) => format!("a text that is not understood: {}", shown(text.unwrap_or_default())),
    }
}

/// Which tokens a rule refuses, by its JSON.
pub(super) fn tokens_of(rule: &Value) -> String {
    let json = rule.to_string();
    match Whole::of(&json) {
        Some(Whole::Every) => "every token, those of later logins too".to_owned(),
        Some(Whole::IssuedBefore(at)) => format!("tokens issued before {}", when::iso(at)),
        None => format!("tokens that match {}", shown(&json)),
    }
}

/// `until 2026-12-27T23:06:50Z (in 30 days)`
pub(super) fn until(expire_at: i64, now: UnixTime) -> String {
    match expire_at {
        0 => "for ever".to_owned(),
        seconds => format!("until {}", moment(UnixTime::from_secs(seconds), now)),
    }
}

/// A rule of an answer in words: which tokens, until when, by whom, why.
pub(super) fn rule(rule: &Value, now: UnixTime) -> String {
    let expire_at = rule.get("expireAt").and_then(Value::as_i64).unwrap_or_default();
    format!("{}, {}{}", tokens(rule), until(expire_at, now), signed(rule))
}

/// `, by olga: stolen phone`
pub(super) fn signed(value: &Value) -> String {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(shown);
    let by = text("by").map(|by| format!(", by {by}")).unwrap_or_default();
    let note = text("note").map(|note| format!(": {note}")).unwrap_or_default();
    by + &note
}

/// A time of an answer; absent where it has none.
pub(super) fn time(value: &Value, name: &str) -> Option<UnixTime> {
    let text = value.get(name)?.as_str()?;
    when::parse_past(text, UnixTime::from_secs(0)).ok()
}

/// `1 rule`, `2 rules`
pub(super) fn count(number: u64, one: &str, more: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {more}") }
}

/// The first of some lines, and how many more there are, counting those that are not among them.
pub(super) fn first(mut lines: impl Iterator<Item = String>, most: usize, beyond: u64) -> Vec<String> {
    let mut first: Vec<String> = lines.by_ref().take(most).collect();
    let rest = u64::try_from(lines.count()).unwrap_or(u64::MAX).saturating_add(beyond);
    if rest > 0 {
        first.push(format!("and {} more", count(rest, "such rule", "such rules")));
    }
    first
}

/// Unix seconds as a rule's end has them, for the lists of rules.
pub(super) fn end(expire_at: Option<i64>) -> String {
    match expire_at {
        None | Some(0) => "never ends".to_owned(),
        Some(at) => format!("ends {}", when::iso(UnixTime::from_secs(at))),
    }
}

/// Whether a rule that ends at `this` ends sooner than one that ends at `that`; 0 is never.
pub(super) fn ends_sooner(this: i64, that: i64) -> bool {
    this != 0 && (that == 0 || this < that)
}

/// Unix seconds of a length of time from now on.
pub(super) fn after(now: UnixTime, length: i64) -> i64 {
    seconds(now).saturating_add(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: UnixTime = UnixTime::from_secs(1_795_820_810);

    #[test]
    fn a_terminal_obeys_no_name_and_no_note() {
        for (text, on_screen, typed) in [
            ("anna", "anna", "anna"),
            ("anna berg", "anna berg", "'anna berg'"),
            ("o'neil", "o'neil", r"'o'\''neil'"),
            ("", "", "''"),
            ("Jörg", "Jörg", "'Jörg'"),
            ("$(reboot)", "$(reboot)", "'$(reboot)'"),
            ("a/../b", "a/../b", "a/../b"),
            ("\u{1b}[2J\u{1b}]0;x\u{7}", r"\u{1b}[2J\u{1b}]0;x\u{7}", r"$'\x1b[2J\x1b]0;x\x07'"),
            ("a\nrevoked: b", r"a\u{a}revoked: b", r"$'a\x0arevoked: b'"),
            ("a\u{9b}31m", r"a\u{9b}31m", r"$'a\xc2\x9b31m'"),
            ("a\u{202e}nimda", r"a\u{202e}nimda", r"$'a\xe2\x80\xaenimda'"),
            ("a\u{200b}b'\\", r"a\u{200b}b'\", r"$'a\xe2\x80\x8bb\'\\'"),
        ] {
            assert_eq!(shown(text), on_screen);
            assert_eq!(argument(text), typed);
        }
        assert_eq!(shown_lines("a\nb\u{1b}"), "a\nb\\u{1b}");
    }

    #[test]
    fn a_moment_is_told_in_utc_and_as_a_distance() {
        for (millis, told) in [
            (0, "2026-11-27T23:06:50Z (now)"),
            (-999, "2026-11-27T23:06:49Z (now)"),
            (-1_000, "2026-11-27T23:06:49Z (1 s ago)"),
            (-240_000, "2026-11-27T23:02:50Z (4 min ago)"),
            (-7_199_000, "2026-11-27T21:06:51Z (2 h ago)"),
            (-3_569_000, "2026-11-27T22:07:21Z (59 min ago)"),
            (-3_571_000, "2026-11-27T22:07:19Z (1 h ago)"),
            (-170_000_000, "2026-11-25T23:53:30Z (47 h ago)"),
            (-172_799_000, "2026-11-25T23:06:51Z (2 days ago)"),
            (2_592_000_000, "2026-12-27T23:06:50Z (in 30 days)"),
            (2_591_940_000, "2026-12-27T23:05:50Z (in 30 days)"),
        ] {
            assert_eq!(moment(UnixTime::from_millis(NOW.as_millis() + millis), NOW), told);
        }
    }

    #[test]
    fn a_rule_is_told_by_what_it_refuses_until_when_by_whom_and_why() {
        for (value, told) in [
            (
                json!({"rule": {"iat": {"lt": 1_795_820_811}}, "expireAt": 1_798_412_810, "by": "olga", "note": "lost"}),
                "tokens issued before 2026-11-27T23:06:51Z, until 2026-12-27T23:06:50Z (in 30 days), by olga: lost",
            ),
            (json!({"rule": {}, "expireAt": 0}), "every token, those of later logins too, for ever"),
            (
                json!({"rule": {"rt": "\u{9b}x"}, "expireAt": 0, "note": "a\u{1b}"}),
                "tokens that match {\"rt\":\"\\u{9b}x\"}, for ever: a\\u{1b}",
            ),
            (
                json!({"text": "no\nrule", "expireAt": 0}),
                "a text that is not understood: no\\u{a}rule, for ever",
            ),
        ] {
            assert_eq!(rule(&value, NOW), told);
        }
    }

    #[test]
    fn of_many_lines_the_first_are_told_and_the_others_counted() {
        let lines = || ["a", "b", "c"].into_iter().map(str::to_owned);
        for (most, beyond, last) in
            [(3, 0, "c"), (2, 0, "and 1 such rule more"), (3, 97, "and 97 such rules more")]
        {
            assert_eq!(first(lines(), most, beyond).last().map(String::as_str), Some(last));
        }
    }

    #[test]
    fn an_end_is_sooner_than_another_or_than_never() {
        for (this, that, sooner) in [(5, 0, true), (0, 5, false), (0, 0, false), (5, 6, true), (6, 6, false)]
        {
            assert_eq!(ends_sooner(this, that), sooner, "{this} {that}");
        }
    }
}
