//! One setting alone, out of a configuration that may be faulty elsewhere: for a question to a program that runs, and that
//! a fault which came into its files since then does not stop.

use std::ffi::OsString;

use toml::de::{DeTable, DeValue};

/// Lines that are left out of a file that cannot be read whole.
const MAX_BROKEN_LINES: usize = 32;

/// The value of one setting as text: of the environment, else of the TOML file that `config_variable` names, as far as that
/// can be read. Absent where neither says it.
pub fn glance(name: &str, config_variable: &str, environment: &[(OsString, OsString)]) -> Option<String> {
    let variable = |wanted: &str| {
        let found = environment.iter().find(|(name, _)| name == wanted)?.1.to_str()?.trim();
        (!found.is_empty()).then(|| found.to_owned())
    };
    variable(name).or_else(|| {
        let mut text = std::fs::read_to_string(variable(config_variable)?).ok()?;
        for _ in 0..MAX_BROKEN_LINES {
            let (table, errors) = DeTable::parse_recoverable(&text);
            if let Some(found) = find(table.get_ref(), "", name) {
                return Some(found);
            }
            let broken = errors.first()?.span()?.start;
            drop(table);
            text = without_line(&text, broken)?;
        }
        None
    })
}

/// The text without the line that has this place. The parser goes on behind most faults, but not behind all.
fn without_line(text: &str, place: usize) -> Option<String> {
    let (before, after) = text.split_at_checked(place)?;
    let kept = before.rfind('\n').map_or(0, |end| end.saturating_add(1));
    let rest = after.find('\n').and_then(|end| after.get(end..)).unwrap_or_default();
    Some(format!("{}{rest}", before.get(..kept)?))
}

/// The names are those of [`super::Settings`]: flat, or the path of tables, in any letter case.
fn find(table: &DeTable<'_>, path: &str, wanted: &str) -> Option<String> {
    table.iter().find_map(|(key, value)| {
        let name = format!("{path}{}", key.get_ref().to_uppercase());
        match value.get_ref() {
            DeValue::String(text) if name == wanted => {
                Some(text.trim().to_owned()).filter(|text| !text.is_empty())
            }
            DeValue::Table(table) => find(table, &format!("{name}__"), wanted),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const NAME: &str = "P__ADMIN__LISTEN";

    #[test]
    fn one_setting_is_found_whatever_is_wrong_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        let good = "[P.ADMIN]\nLISTEN = \"a:1\"\n";
        for (text, expected) in [
            (good.to_owned(), Some("a:1")),
            ("p__admin__listen = ' a:1 '".to_owned(), Some("a:1")),
            ("P.Admin.listen = 'a:1'".to_owned(), Some("a:1")),
            (format!("{good}[P]\nLEVEL = 'none such'\nTYPO = true\n"), Some("a:1")),
            (format!("{good}TOKENS = \"no end\n[P.X]\nY = 1\n"), Some("a:1")),
            (format!("NO VALUE\n{good}"), Some("a:1")),
            (format!("{good}= ]\n"), Some("a:1")),
            (format!("NO\n{good}"), Some("a:1")),
            (format!("[P.X]\nNO\nY = \n]\n= 1\n{good}NO"), Some("a:1")),
            ("NO\n".repeat(MAX_BROKEN_LINES + 1), None),
            ("[P.ADMIN]\nLISTEN = ''".to_owned(), None),
            ("[P.OTHER]\nLISTEN = 'a:1'".to_owned(), None),
            (String::new(), None),
        ] {
            fs::write(&path, &text).unwrap();
            let environment = [("P_CONFIG".into(), path.clone().into())];
            assert_eq!(glance(NAME, "P_CONFIG", &environment).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn the_environment_wins_and_a_file_that_is_gone_says_nothing() {
        let file = (OsString::from("P_CONFIG"), OsString::from("/nowhere/settings.toml"));
        assert_eq!(glance(NAME, "P_CONFIG", std::slice::from_ref(&file)), None);
        let set = (OsString::from(NAME), OsString::from("b:2"));
        assert_eq!(glance(NAME, "P_CONFIG", &[file.clone(), set]).as_deref(), Some("b:2"));
        let blank = (OsString::from(NAME), OsString::from(" "));
        assert_eq!(glance(NAME, "P_CONFIG", &[file, blank]), None);
    }
}
