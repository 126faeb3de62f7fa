//! The manual page: the command line, as clap tells it, and the settings.

use std::io::{self, Write};

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::Program;
use super::plain::plain;

/// Writes the page. It is of section 8, for those who run a system.
pub(super) fn page(program: &Program, command: Command, out: &mut dyn Write) -> io::Result<()> {
    let manual = Man::new(command).section("8").manual("haproxy-jwt");
    manual.render_title(out)?;
    manual.render_name_section(out)?;
    manual.render_synopsis_section(out)?;
    manual.render_description_section(out)?;
    manual.render_options_section(out)?;
    manual.render_subcommands_section(out)?;
    let mut settings = Roff::new();
    settings.control("SH", ["ENVIRONMENT"]);
    settings.text([roman(format!(
        "The same names can stand in the TOML file that --config FILE or {} names; variables win. {} sample prints one.",
        program.config, program.name
    ))]);
    for group in &program.groups {
        settings.control("SS", [group.title]);
        for setting in &group.settings {
            let default = plain(&setting.default.in_words());
            let default = if default.is_empty() { default } else { format!(" Default: {default}.") };
            settings.control("TP", []);
            settings.text([bold(setting.name)]);
            let said = format!("{} ({}).{default}", plain(&setting.meaning), plain(&setting.kind.in_words()));
            settings.text([roman(said)]);
        }
    }
    settings.control("SH", ["FILES"]);
    for table in &program.tables {
        settings.control("SS", [format!("Tables [[{}]] of the file of settings", table.name).as_str()]);
        settings.text([roman(plain(&table.meaning))]);
        for field in &table.fields {
            settings.control("TP", []);
            settings.text([bold(field.name)]);
            settings.text([roman(format!("{} ({}).", plain(&field.meaning), plain(&field.kind.in_words())))]);
        }
    }
    settings.to_writer(out)
}
