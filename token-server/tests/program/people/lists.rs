//! Where there is nothing to do, and where there is more than one answer tells.

use super::server;
use crate::commands::everywhere;

#[test]
fn a_removal_that_found_nothing_exits_with_2() {
    everywhere(|operator| {
        for arguments in [
            &["rules", "remove", "erna", r#"{"a":1}"#][..],
            &["rules", "remove", "erna", "--all"],
            &["rules", "remove", "--everybody", r#"{"a":1}"#],
            &["rules", "remove", "--everybody", "--all"],
        ] {
            let done = operator.run(arguments, "");
            assert_eq!(
                (done.code, done.out.as_str()),
                (Some(2), "removed: 0; there is no such rule\n"),
                "{}",
                done.err
            );
            let json = operator.run(&[arguments, &["--json"]].concat(), "");
            assert!(json.code == Some(2) && json.out.contains(r#""deleted":0"#), "{}", json.out);
        }
    });
}

#[test]
fn a_long_list_comes_in_pages_with_the_command_for_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let (_server, operator) = server(&folder, &[]);
    for name in ["anna", "ben", "carl x"] {
        operator.json(&["revoke", name], "");
    }
    let first = operator.run(&["revoked", "--limit", "2"], "");
    assert_eq!(first.out.lines().count(), 2, "{}", first.out);
    assert!(
        first.err.contains("there are more: token-server revoked --after=ben --server unix:"),
        "{}",
        first.err
    );
    let rest = operator.run(&["revoked", "--limit", "2", "--after", "ben"], "");
    assert!(rest.out.starts_with("carl x: ") && rest.err.is_empty(), "{}{}", rest.out, rest.err);
}
