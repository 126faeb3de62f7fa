//! URLs as logs, metrics, errors and answers show them: the one place that hides what in them is a secret.

/// A URL without user, password, query and fragment; any other text as it is.
pub fn url(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    // WHATWG's parser takes a backslash for a slash, and a password may hold any of the rest but these.
    let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    let (authority, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if behind.contains('@') {
        // A password that was not encoded ends the authority too early: its beginning looks like a port, the rest like a path.
        let host = host.split_once(':').map_or(host, |(user, _)| user);
        return format!("{scheme}://{host}");
    }
    let path = behind.split(['?', '#']).next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_what_may_be_a_secret_in_it() {
        for (text, expected) in [
            ("https://id.example/", "https://id.example/"),
            ("https://id.example/{tenantid}/v2.0", "https://id.example/{tenantid}/v2.0"),
            ("https://user:s3cret@id.example:8443/a?k=s3cret#s3cret", "https://id.example:8443/a"),
            ("http://s3cret@id.example", "http://id.example"),
            ("http://user:s3@cret@id.example/x", "http://id.example/x"),
            ("redis://:s3cret@[::1]:6379/0", "redis://[::1]:6379/0"),
            ("rediss://user:s3cret@cache:6379", "rediss://cache:6379"),
            ("http://id.example?token=s3cret", "http://id.example"),
            ("http://user:s3/cret@id.example/", "http://user"),
            ("http://user:4/s3cret@id.example/", "http://user"),
            ("http://user:s3?cret@id.example/", "http://user"),
            ("http://user:s3#cret@id.example/", "http://user"),
            ("https://id.example/@anna", "https://id.example"),
            ("anna", "anna"),
            ("", ""),
        ] {
            assert_eq!(url(text), expected, "{text}");
        }
    }
}
