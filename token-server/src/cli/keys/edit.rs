//! The text of the file with a table more or less: what people wrote around it stays.

use crate::api_keys::list::KeyList;

/// With one more table behind all others.
pub(super) fn with(text: &str, table: &str) -> String {
    let before = text.trim_end();
    if before.is_empty() { table.to_owned() } else { format!("{before}\n\n{table}") }
}

/// Without the table of this key: the lines from its `[[keys]]` to its last one that says something. A file that has tables in
/// another form is not changed so, which is found where it is read again.
pub(super) fn without(text: &str, list: &KeyList, name: &str) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let begins = lines.iter().enumerate().filter(|(_, line)| is_header(line)).map(|(place, _)| place);
    let place = list.keys().iter().position(|key| key.name == name);
    let mut begins = begins.skip(place.unwrap_or(usize::MAX));
    let (Some(begin), next) = (begins.next(), begins.next()) else { return text.to_owned() };
    let next = next.unwrap_or(lines.len());
    let says = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let own = lines.get(begin..next).unwrap_or_default();
    let last = own.iter().rposition(says).map_or(begin, |last| begin.saturating_add(last));
    let kept = lines.iter().enumerate().filter(|(place, _)| !(begin..=last).contains(place));
    kept.map(|(_, line)| *line).collect()
}

fn is_header(line: &str) -> bool {
    let name = line.trim_start().strip_prefix("[[").and_then(|rest| rest.split_once("]]"));
    name.is_some_and(|(name, _)| name.trim() == "keys")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "[[keys]]\nname = \"a\"\nsha256 = \"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"\nmade = 2026-11-27T10:00:00Z\nclaims = { sub = \"a\" }\n";
    const SECOND: &str = "[[ keys ]] # another\nname = \"b\"\nsha256 = \"d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa\"\nmade = 2026-11-27T10:00:00Z\n[keys.claims]\nsub = \"b\"\n";

    #[test]
    fn what_people_wrote_around_a_table_stays() {
        let text = format!("# head\n\n{FIRST}\n# of b\n{SECOND}# end\n");
        let list = KeyList::parse(text.as_bytes()).unwrap();
        assert_eq!(without(&text, &list, "a"), format!("# head\n\n\n# of b\n{SECOND}# end\n"));
        assert_eq!(without(&text, &list, "b"), format!("# head\n\n{FIRST}\n# of b\n# end\n"));
        assert_eq!(without(&text, &list, "c"), text);
        assert_eq!(with("", FIRST), FIRST);
        assert_eq!(with("# head\n\n\n", FIRST), format!("# head\n\n{FIRST}"));
        assert_eq!(with(FIRST.trim_end(), SECOND), format!("{FIRST}\n{SECOND}"));
    }
}
