//! The settings for a terminal.

use super::plain::{plain, wrapped};
use super::{Program, Reload, Setting, Shown};

/// How wide the text is.
const WIDTH: usize = 100;
/// How far what is said of a setting stands from the edge.
const INDENT: usize = 4;

impl Program {
    /// Every setting and field whose name holds one of the words, in any letter case; without words all. Empty: none does.
    pub fn listing(&self, words: &[String]) -> String {
        let wanted = |name: &str| {
            let name = name.to_ascii_lowercase();
            words.is_empty() || words.iter().any(|word| name.contains(&word.to_ascii_lowercase()))
        };
        let groups = self.groups.iter().map(|group| (group.title.to_owned(), &group.settings, String::new()));
        let tables = self.tables.iter().map(|table| {
            (
                format!("[[{}]]: {}", table.name, plain(&table.meaning)),
                &table.fields,
                format!("{}.", table.name),
            )
        });
        let mut text = String::new();
        for (title, settings, place) in groups.chain(tables) {
            let settings: Vec<_> =
                settings.iter().filter(|setting| wanted(&format!("{place}{}", setting.name))).collect();
            if settings.is_empty() {
                continue;
            }
            for line in wrapped(&title, WIDTH) {
                text += &format!("{line}\n");
            }
            text.push('\n');
            settings.into_iter().for_each(|setting| text += &setting.listed(&place));
            text.push('\n');
        }
        text.trim_end().to_owned()
    }
}

impl Setting {
    fn listed(&self, place: &str) -> String {
        let mut facts = vec![self.kind.in_words()];
        let default = self.default.in_words();
        if !default.is_empty() {
            facts.push(format!("default {default}"));
        }
        if self.shown == Shown::Never {
            facts.push("secret".to_owned());
        }
        match self.reload {
            Reload::TakenOver => {}
            Reload::TakenOverUnless(case) => facts.push(format!("SIGHUP: {case}")),
            Reload::NeedsRestart => facts.push("a change needs a restart".to_owned()),
        }
        let said = [facts.join("; "), self.meaning.to_string()];
        let lines = said.iter().flat_map(|text| wrapped(&plain(text), WIDTH.saturating_sub(INDENT)));
        let lines: String = lines.map(|line| format!("{:INDENT$}{line}\n", "")).collect();
        format!("{place}{}\n{lines}", self.name)
    }
}
