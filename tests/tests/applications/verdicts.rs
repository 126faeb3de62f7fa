//! The headers that HAProxy sets for an application, forged and good.

use integration_tests::applications::Mirrored;

use super::readings::headers;
use super::requests::{FORGED, SEPARATORS, get};

/// Lines of headers that only HAProxy may set, one request's each.
fn forgeries() -> impl Iterator<Item = String> {
    let names = ["valid", "body", "stateless"];
    let each = move |(first, second)| names.map(|name| format!("X{first}Tkn{second}{name}: {FORGED}\r\n"));
    SEPARATORS.into_iter().flat_map(each)
}

pub(crate) fn forged(path: &str, more: &str) -> Vec<String> {
    forgeries().map(|line| get(path, &format!("{line}{more}"))).collect()
}

/// Every application holds `valid` for the only verdict, or there is none; and nothing forged.
pub(crate) fn assert_verdict(what: &str, mirrored: &[Mirrored], valid: Option<&str>) {
    for one in mirrored {
        for (application, reading) in &one.readings {
            let ours = headers(reading, "x-tkn");
            let verdicts: Vec<_> =
                ours.iter().filter(|(name, _)| name == "x-tkn-valid").map(|(_, value)| *value).collect();
            let told = || format!("{what}: {application}: {one:#?}");
            assert_eq!(verdicts, Vec::from_iter(valid), "{}", told());
            assert!(valid.is_some() || ours.is_empty(), "{}", told());
            assert!(!ours.iter().any(|(_, value)| value.contains(FORGED)), "{}", told());
        }
    }
}
