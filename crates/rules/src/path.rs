//! Paths into claims, as lodash's `get` reads them: `a.b[0]["c d"]`.
//!
//! It reads every text somehow, odd ones too, and rules may hold some: `a..b` has an empty step, `a[b]` is `a.b`, and brackets
//! without a partner are left out.

/// The steps of a path. Empty for a plain name, and for a path that leads nowhere.
pub(crate) fn steps(name: &str) -> Vec<Box<str>> {
    if !is_path(name) {
        return Vec::new();
    }
    let mut steps: Vec<Box<str>> = Vec::new();
    if name.starts_with('.') {
        steps.push("".into());
    }
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let word = rest.find(['.', '[', ']']).unwrap_or(rest.len());
        if word > 0 {
            let (step, behind) = rest.split_at(word);
            steps.push(step.into());
            rest = behind;
            continue;
        }
        if let Some((step, behind)) = bracket(rest) {
            steps.push(step);
            rest = behind;
            continue;
        }
        if is_before_nothing(rest) {
            steps.push("".into());
        }
        rest = rest.get(first.len_utf8()..).unwrap_or_default();
    }
    steps
}

/// Whether a name is read as a path at all: with a dot, or a bracket that has its partner.
fn is_path(name: &str) -> bool {
    name.contains('.')
        || name.match_indices('[').any(|(start, bracket)| {
            let inside = name.get(start + bracket.len()..).unwrap_or_default();
            let plain = inside
                .find(['[', ']'])
                .is_some_and(|end| inside.get(end..).is_some_and(|rest| rest.starts_with(']')));
            plain || quoted(inside).is_some()
        })
}

/// `[12]`, `[-1.5]` or a quoted text in brackets at the start of a text: the step, and what stands behind it.
fn bracket(text: &str) -> Option<(Box<str>, &str)> {
    let inside = text.strip_prefix('[')?;
    if let Some((number, behind)) = inside.split_once(']')
        && is_number(number)
    {
        return Some((number.into(), behind));
    }
    quoted(inside)
}

/// `-?\d+(\.\d+)?`
fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole) && digits(fraction)
}

/// A text in quotes with `]` behind it: its content, without the backslashes that escape, and what stands behind.
fn quoted(text: &str) -> Option<(Box<str>, &str)> {
    let quote = text.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    let mut content = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((place, character)) = characters.next() {
        if character == quote {
            let behind = text.get(place..)?.strip_prefix(quote)?.strip_prefix(']')?;
            return Some((content.into(), behind));
        }
        if character == '\\' {
            let (_, escaped) = characters.next()?;
            if matches!(escaped, '\n' | '\r' | '\u{2028}' | '\u{2029}') {
                return None;
            }
            content.push(escaped);
        } else {
            content.push(character);
        }
    }
    None
}

/// Whether a dot or `[]` is followed by another of them or by the end: an empty step lies between.
fn is_before_nothing(text: &str) -> bool {
    let behind = text.strip_prefix('.').or_else(|| text.strip_prefix("[]"));
    behind.is_some_and(|behind| behind.is_empty() || behind.starts_with('.') || behind.starts_with("[]"))
}
