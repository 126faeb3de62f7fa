//! A file of settings in which every one stands, commented out: what begins with `#` and a letter or a bracket is a line to
//! take the mark from, what begins with `#` and a space is said about it.

use super::plain::{plain, wrapped};
use super::{Kind, Program, Setting};
use crate::settings::toml_text;

/// How wide comments are.
const WIDTH: usize = 110;

impl Program {
    /// The file.
    pub fn sample(&self) -> String {
        let mut text = format!("#:schema /usr/share/{0}/{0}.schema.json\n", self.name);
        text += &comment(&format!(
            "Settings of {}: the file that --config FILE or {} names. Each line shows a value that could be given, \
             above it the default. {} --check finds faults; {} --print-config shows what is in use.",
            self.name, self.config, self.name, self.name
        ));
        for group in &self.groups {
            text += &format!("\n# --- {}\n", group.title);
            group.settings.iter().for_each(|setting| text += &setting.sampled());
        }
        for table in &self.tables {
            text += &format!("\n# --- [[{}]]\n{}#[[{}]]\n", table.name, comment(&table.meaning), table.name);
            table.fields.iter().for_each(|field| text += &field.sampled());
        }
        text
    }
}

impl Setting {
    fn sampled(&self) -> String {
        let default = self.default.in_words();
        let default = if default.is_empty() { String::new() } else { format!(" Default: {default}.") };
        let said = format!("{} ({}).{default}", self.meaning.trim_end_matches('.'), self.kind.in_words());
        format!("\n{}#{} = {}\n", comment(&said), self.name, self.kind.toml(&self.example))
    }
}

impl Kind {
    /// A value that is written as in a variable, as the file has it.
    pub fn toml(&self, value: &str) -> String {
        match self {
            Self::Map(_) => value.to_owned(),
            Self::List(_) => {
                let items: Vec<_> = value.split(',').map(|item| toml_text(item.trim())).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Number { .. } if value.parse::<u64>().is_ok_and(|number| number.to_string() == value) => {
                value.to_owned()
            }
            Self::Switch if ["true", "false"].contains(&value) => value.to_owned(),
            Self::Text(_) | Self::Word(_) | Self::Number { .. } | Self::Switch => toml_text(value),
        }
    }
}

fn comment(markdown: &str) -> String {
    wrapped(&plain(markdown), WIDTH).iter().map(|line| format!("# {line}\n")).collect()
}
