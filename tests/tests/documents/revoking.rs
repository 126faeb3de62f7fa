//! How documents and examples revoke: never by a lower bound on `iat`, which refuses later logins and misses tokens without it.

use std::fs;

use integration_tests::process::repository;

use super::files;

/// A condition on `iat` that has a lower bound and no upper one, in JSON as it stands or inside of a shell's or another text's
/// quotation marks.
fn lower_bound_alone(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|letter| !letter.is_whitespace() && *letter != '\\').collect();
    let conditions = text.split(r#""iat":{"#).skip(1).filter_map(|rest| rest.split('}').next());
    let mut lower =
        conditions.filter(|condition| condition.contains(r#""gt"#) && !condition.contains(r#""lt"#));
    lower.next().map(|condition| format!("{{\"iat\":{{{condition}}}}}"))
}

/// What people read and copy: everything but code and its tests; of code, the description of the API.
fn is_read_by_people(file: &str) -> bool {
    let is_code = file.contains("/src/") || file.contains("tests/") || file.starts_with("fuzz/");
    !is_code || file.ends_with("/openapi.json")
}

#[test]
fn no_document_and_no_example_revokes_later_logins() {
    let files = files();
    let read: Vec<&String> = files.iter().filter(|file| is_read_by_people(file)).collect();
    assert!(read.len() > 100 && read.iter().any(|file| file.ends_with("openapi.json")), "{}", read.len());
    let found: Vec<String> = read
        .iter()
        .filter_map(|file| {
            let bytes = fs::read(repository().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
            let rule = lower_bound_alone(&String::from_utf8_lossy(&bytes))?;
            Some(format!("{file}: {rule}"))
        })
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_lower_bound_alone_is_found_however_it_is_quoted() {
    for (text, is_found) in [
        (r#"token-server rules add anna '{"iat":{"gt":0}}'"#, true),
        (r#"-d "{\"rule\":{\"iat\":{\"gte\":1700000000}}}""#, true),
        ("{ \"iat\": {\n  \"gt\": 0 } }", true),
        (r#"{"rt":"x","iat":{"gt":5}}"#, true),
        (r#"{"iat":{"gt":1,"lt":5}}"#, false),
        (r#"{"iat":{"lt":5}} and {"exp":{"gt":5}}"#, false),
        (r#"{"iat":{"lte":5}}"#, false),
        ("a lower bound on `iat` (`gt`)", false),
    ] {
        assert_eq!(lower_bound_alone(text).is_some(), is_found, "{text}");
    }
}
