//! Users of this machine, by number and, where its own list has one, by name.

/// The machine's own list of users (passwd(5)). Directories of users elsewhere are not asked: a request would wait for them.
pub(super) const USERS: &str = "/etc/passwd";

/// `uid 1000 (anna)`, or the number alone where the list has no name.
pub(super) fn name(uid: u32, users: &str) -> String {
    let named = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?);
        (number.parse() == Ok(uid) && !name.is_empty() && !name.chars().any(char::is_control)).then_some(name)
    });
    match named {
        Some(name) => format!("uid {uid} ({name})"),
        None => format!("uid {uid}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_by_the_machines_list_or_by_number_alone() {
        let users = "root:x:0:0:root:/root:/bin/sh\n# a comment\nbroken\nanna:x:1000:1000::/home/anna:/bin/sh\n:x:7:7::/:\n";
        for (uid, told) in [
            (0, "uid 0 (root)"),
            (1000, "uid 1000 (anna)"),
            (100, "uid 100"),
            (7, "uid 7"),
            (u32::MAX, "uid 4294967295"),
        ] {
            assert_eq!(name(uid, users), told);
        }
        assert_eq!(name(0, ""), "uid 0");
    }
}
