//! The settings and the commands for the reference, in Markdown.

use clap::{Arg, Command};

use super::plain::plain;
use super::{Program, Setting, Shown};

/// Tables that another program's part of the reference shows already are named by a link.
pub(super) fn reference(program: &Program, command: &Command, shown_elsewhere: &[String]) -> String {
    let mut text = format!("## `{}`\n\n{}\n\n", program.name, program.about);
    for group in &program.groups {
        text += &format!("### {}: {}\n\n", program.name, group.title);
        text += "| setting | value | default | SIGHUP | meaning |\n|---|---|---|---|---|\n";
        group.settings.iter().for_each(|setting| text += &setting.row(true));
        text.push('\n');
    }
    for table in &program.tables {
        if shown_elsewhere.iter().any(|name| name == table.name) {
            continue;
        }
        text += &format!("### `[[{}]]`\n\n{}\n\n", table.name, table.meaning);
        text += "| field | value | default | meaning |\n|---|---|---|---|\n";
        table.fields.iter().for_each(|field| text += &field.row(false));
        text.push('\n');
    }
    text += &format!("### {}: commands\n\n", program.name);
    text += &commands(command);
    text
}

impl Setting {
    fn row(&self, has_reload: bool) -> String {
        let secret = if self.shown == Shown::Never { "; secret" } else { "" };
        let mut row = format!(
            "| `{}` | {}{secret} | {} ",
            self.name,
            cell(&self.kind.in_words()),
            cell(&self.default.in_words())
        );
        if has_reload {
            row += &format!("| {} ", self.reload.in_words());
        }
        row + &format!("| {} |\n", cell(&self.meaning))
    }
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn commands(command: &Command) -> String {
    let mut text = String::new();
    let own = options(command, |argument| !argument.is_global_set());
    let global = options(command, Arg::is_global_set);
    text += "| command | |\n|---|---|\n";
    text += &format!("| `{}` | Serve |\n", command.get_name());
    rows(command, command.get_name(), &mut text);
    text += &format!("\nOptions of `{}` alone:\n\n| option | |\n|---|---|\n{own}", command.get_name());
    text += &format!(
        "\nOptions that stand before a command or behind it:\n\n| option | |\n|---|---|\n{global}\n"
    );
    text
}

fn rows(command: &Command, path: &str, text: &mut String) {
    for command in
        command.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help")
    {
        let path = format!("{path} {}", command.get_name());
        let about = command.get_long_about().or_else(|| command.get_about()).map(ToString::to_string);
        let about = cell(&about.unwrap_or_default().replace('\n', " "));
        if command.has_subcommands() {
            rows(command, &path, text);
            continue;
        }
        let own = command.get_arguments().filter(|argument| is_own(argument) && !argument.is_global_set());
        let own: Vec<_> = own.map(|argument| format!("`{}` {}", usage(argument), help(argument))).collect();
        let own = if own.is_empty() { String::new() } else { format!(" <br>{}", own.join(" <br>")) };
        *text += &format!("| `{path}` | {about}{own} |\n");
    }
}

fn options(command: &Command, wanted: impl Fn(&Arg) -> bool) -> String {
    let arguments = command.get_arguments().filter(|argument| is_own(argument) && wanted(argument));
    arguments.map(|argument| format!("| `{}` | {} |\n", usage(argument), help(argument))).collect()
}

fn is_own(argument: &Arg) -> bool {
    !argument.is_hide_set() && !["help", "version"].contains(&argument.get_id().as_str())
}

fn usage(argument: &Arg) -> String {
    let values = argument.get_value_names().unwrap_or_default();
    let takes_values = argument.get_action().takes_values();
    let values: String = values.iter().map(|name| format!(" <{name}>")).filter(|_| takes_values).collect();
    match argument.get_long() {
        Some(long) => format!("--{long}{values}"),
        None => values.trim_start().to_owned(),
    }
}

fn help(argument: &Arg) -> String {
    let help = argument.get_long_help().or_else(|| argument.get_help()).map(ToString::to_string);
    let words: Vec<_> =
        argument.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    let takes_words = argument.get_action().takes_values() && !words.is_empty();
    let words = if takes_words { format!(" ({})", words.join(", ")) } else { String::new() };
    cell(&format!("{}{words}", plain(&help.unwrap_or_default()).replace('\n', " ")))
}
