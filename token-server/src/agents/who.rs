//! Which agent it is: what it calls itself, in its reports and in the header `User-Agent` (RFC 9110 section 10.1.5) of its questions.

use revocation::report::{Author, PRODUCT};

/// Characters of a name, and of a version.
const MAX_NAME_CHARS: usize = 64;

/// What stands for agents that have no name, which are of version 0.2 or older.
const UNNAMED: &str = "unnamed";

/// An agent, as it calls itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Who {
    pub(super) name: String,
    pub(super) version: Option<String>,
}

impl Who {
    /// Who wrote a report.
    pub(super) fn of(author: &Author) -> Self {
        Self::new(&author.name, Some(&author.version))
    }

    /// Who asks: `jwt-agent/0.3.0 (edge1:12345)`.
    pub(crate) fn asking(user_agent: Option<&str>) -> Self {
        let Some(product) = user_agent.and_then(|text| text.strip_prefix(PRODUCT)) else {
            return Self::new("", None);
        };
        let (version, rest) = product.split_once(' ').unwrap_or((product, ""));
        let name = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or_default();
        Self::new(name, Some(version))
    }

    fn new(name: &str, version: Option<&str>) -> Self {
        let name = if name.is_empty() { UNNAMED.to_owned() } else { shown(name) };
        Self { name, version: version.map(shown) }
    }
}

fn shown(text: &str) -> String {
    let visible = |letter: char| if letter.is_ascii_graphic() { letter } else { '?' };
    text.chars().take(MAX_NAME_CHARS).map(visible).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_called_what_it_calls_itself_short_and_visible() {
        let long = "x".repeat(MAX_NAME_CHARS);
        let too_long = format!("jwt-agent/{long}x ({long}x)");
        for (header, name, version) in [
            (Some("jwt-agent/0.3.0 (edge1:12345)"), "edge1:12345", Some("0.3.0")),
            (Some("jwt-agent/0.3.0"), UNNAMED, Some("0.3.0")),
            (Some("jwt-agent/0.3.0 (a b)"), "a?b", Some("0.3.0")),
            (Some("jwt-agent/0.3.0 (a"), UNNAMED, Some("0.3.0")),
            (Some(too_long.as_str()), &long, Some(long.as_str())),
            (Some("curl/8.5.0"), UNNAMED, None),
            (None, UNNAMED, None),
        ] {
            let who = Who::asking(header);
            assert_eq!((who.name.as_str(), who.version.as_deref()), (name, version), "{header:?}");
        }
        let hostile = Author { name: "\u{1b}[31m<b>\n".to_owned(), version: String::new() };
        assert_eq!(Who::of(&hostile).name, "?[31m<b>?");
    }
}
