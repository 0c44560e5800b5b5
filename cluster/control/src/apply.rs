//! What a command does to the state.

use crate::{ControlApplied, ControlCommand, ControlRefusal, ControlState};

impl ControlState {
    /// Applies one command of the log. Deterministic: the same commands in the same order make the same state everywhere.
    ///
    /// Every command that is applied makes `version` grow by one, and `now` never runs backwards: a command that names an
    /// earlier moment is judged at the latest one known.
    ///
    /// # Errors
    /// The refusal; the state is then exactly as it was, `version` and `now` included.
    pub fn apply(&mut self, command: ControlCommand) -> Result<ControlApplied, ControlRefusal> {
        let _ = command;
        Err(ControlRefusal::NotFounded)
    }
}
