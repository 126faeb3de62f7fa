//! Questions before what hits many or loosens something: on a terminal they are asked, elsewhere an option answers them.

use std::io::{self, BufRead, IsTerminal as _, Write};

use super::error::CliError;

/// What is answered where a command may go on, and where not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No,
}

/// Whether questions can be asked: a person reads them, and types.
pub(super) fn is_possible() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Goes on if `yes` was said with the command, or is said now.
///
/// # Errors
/// [`CliError::Unconfirmed`] where it was not said and cannot be asked for.
pub(super) fn unless_said(yes: bool, why: String, option: &'static str) -> Result<Answer, CliError> {
    if yes {
        return Ok(Answer::Yes);
    }
    if !is_possible() {
        return Err(CliError::Unconfirmed { why, option });
    }
    ask(&why, &mut io::stdin().lock(), &mut io::stderr().lock())
}

/// Asks; what is not clearly a yes is none.
fn ask(why: &str, input: &mut impl BufRead, output: &mut impl Write) -> Result<Answer, CliError> {
    write!(output, "{why}\nGo on? [y/N] ").and_then(|()| output.flush()).map_err(CliError::Output)?;
    let mut typed = String::new();
    input.read_line(&mut typed).map_err(CliError::Input)?;
    match typed.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(Answer::Yes),
        _ => {
            writeln!(output, "nothing was changed").map_err(CliError::Output)?;
            Ok(Answer::No)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_goes_on() {
        for (typed, answer) in [
            ("y\n", Answer::Yes),
            ("YES\n", Answer::Yes),
            ("\n", Answer::No),
            ("", Answer::No),
            ("n\n", Answer::No),
            ("yep\n", Answer::No),
        ] {
            let mut screen = Vec::new();
            assert_eq!(ask("It ends sooner.", &mut typed.as_bytes(), &mut screen).unwrap(), answer);
            let screen = String::from_utf8(screen).unwrap();
            assert!(screen.starts_with("It ends sooner.\nGo on? [y/N] "), "{screen}");
            assert_eq!(screen.contains("nothing was changed"), answer == Answer::No, "{screen}");
        }
    }

    #[test]
    fn where_no_question_can_be_asked_the_option_is_named() {
        assert_eq!(unless_said(true, String::new(), "--yes").unwrap(), Answer::Yes);
        let refused = CliError::Unconfirmed { why: "It ends sooner.".to_owned(), option: "--yes" };
        assert_eq!(refused.to_string(), "It ends sooner.\nnothing was changed; say it again with --yes");
    }
}
