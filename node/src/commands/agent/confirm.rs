//! Asks before something that cannot be undone.

use crate::cli::Context;
use crate::failure::{Exit, Failure};
use crate::output::{WARN, paint};
use std::io::{BufRead, IsTerminal};

/// What it means that nobody can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Silence {
    /// No.
    Refuses,
    /// Yes: a script has always been obeyed here.
    Agrees,
}

/// Asks on the terminal.
pub(super) fn confirm(what: &str, silence: Silence, context: &Context) -> Result<(), Failure> {
    let terminal = std::io::stdin().is_terminal();
    ask(what, silence, &mut std::io::stdin().lock(), terminal, context)
}

fn ask(
    what: &str,
    silence: Silence,
    answers: &mut impl BufRead,
    is_terminal: bool,
    context: &Context,
) -> Result<(), Failure> {
    if !is_terminal {
        return match silence {
            Silence::Agrees => Ok(()),
            Silence::Refuses => Err(Failure::new("this cannot be undone, and nobody can be asked")
                .exit(Exit::Usage)
                .hint("the same command with --yes")),
        };
    }
    context.out.note(format_args!("{} {what}\nType yes to go on:", paint(WARN, "warning")));
    let mut answer = String::new();
    answers.read_line(&mut answer).map_err(|error| Failure::new(format!("the answer cannot be read: {error}")))?;
    if answer.trim() == "yes" { Ok(()) } else { Err(Failure::new("nothing was changed")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Home;
    use crate::output::Output;

    #[test]
    fn a_terminal_is_asked_and_a_script_is_not_taken_by_surprise() {
        let context = Context {
            home: Home::locate(Some("/nowhere".into())).unwrap(),
            home_is_named: false,
            port_offset: None,
            out: Output::new(true),
        };
        let on_terminal = |answer: &str| ask("gone", Silence::Agrees, &mut answer.as_bytes(), true, &context);
        assert!(on_terminal("yes\n").is_ok());
        for answer in ["", "y\n", "no\n", "yes please\n"] {
            assert_eq!(on_terminal(answer).unwrap_err().message, "nothing was changed");
        }
        let in_script = |silence| ask("gone", silence, &mut &b"yes\n"[..], false, &context);
        assert_eq!(in_script(Silence::Refuses).unwrap_err().exit, Exit::Usage);
        assert!(in_script(Silence::Agrees).is_ok());
    }
}
