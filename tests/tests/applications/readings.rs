//! What applications make of requests, right or wrong.

use integration_tests::applications::{Applications, Mirrored, Reading};

/// A path as the most willing application would take it: decoded, parameters cut off, dots followed, without case.
pub(crate) fn normalised(path: &str) -> String {
    let mut path = path.to_ascii_lowercase();
    for _ in 0..2 {
        for (from, to) in [("%25", "%"), ("%2e", "."), ("%2f", "/"), ("%5c", "\\"), ("%3b", ";")] {
            path = path.replace(from, to);
        }
    }
    let mut segments = Vec::new();
    for segment in path.split(['/', '\\']).map(|segment| segment.split(';').next().unwrap_or_default()) {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    format!("/{}", segments.join("/"))
}

fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// No application takes any path for one that is below none of `prefixes`, nor for another than `exact`.
pub(crate) fn assert_open(what: &str, mirrored: &[Mirrored], prefixes: &[&str], exact: &str) {
    for one in mirrored {
        for (application, reading) in &one.readings {
            for path in reading.paths.iter().map(|path| normalised(path)) {
                let open = path == exact || prefixes.iter().any(|prefix| is_below(&path, prefix));
                assert!(open, "{what}: {application} takes for {path}: {one:#?}");
            }
        }
    }
}

/// What an application holds for the values of headers whose name begins so, whatever it folds names to.
pub(crate) fn headers<'a>(reading: &'a Reading, prefix: &str) -> Vec<(String, &'a str)> {
    let folded = |name: &str| {
        let name = name.to_ascii_lowercase();
        let name = name.strip_prefix("http_").unwrap_or(&name);
        name.split(|sign: char| !sign.is_ascii_alphanumeric())
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("-")
    };
    let all = reading.headers.iter().map(|(name, value)| (folded(name), value.as_str()));
    all.filter(|(name, _)| name.starts_with(prefix)).collect()
}

/// Every application has accepted the only request.
pub(crate) fn assert_all_read(what: &str, mirrored: &[Mirrored]) {
    assert_eq!(mirrored.len(), 1, "{what}: {mirrored:?}");
    let names: Vec<_> = mirrored[0].readings.keys().copied().collect();
    let mut all = Applications::NAMES;
    all.sort_unstable();
    assert_eq!(names, all, "{what}");
}

/// The user's name, as an application would read it.
pub(crate) fn users(reading: &Reading) -> Vec<String> {
    let all = headers(reading, "x-user-id");
    all.into_iter()
        .filter(|(name, value)| name == "x-user-id" && !value.is_empty())
        .map(|(_, value)| value.to_owned())
        .collect()
}

/// Every application that shows all headers holds `user` for the only user.
pub(crate) fn assert_user(what: &str, mirrored: &[Mirrored], user: &str) {
    for one in mirrored {
        for (application, reading) in one.readings.iter().filter(|(name, _)| **name != "nginx") {
            assert_eq!(users(reading), [user], "{what}: {application}: {one:#?}");
        }
    }
}
