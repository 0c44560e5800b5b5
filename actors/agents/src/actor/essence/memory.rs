//! What a stateful agent remembers from task to task: the last turns of its conversation.

/// How many turns are remembered: twenty questions with their answers.
pub const MEMORY_TURNS: usize = 40;

/// How many bytes the remembered turns may have together; every prompt carries them.
pub const MEMORY_BYTES: usize = 64 * 1024;

/// The stored memory is not what this program wrote; the agent starts without.
#[derive(Debug, thiserror::Error)]
#[error("the agent's memory does not decode")]
pub struct UnreadableMemory(#[source] serde_json::Error);

/// A bounded conversation, as (role, text), oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    turns: Vec<(String, String)>,
}

impl Memory {
    /// Reads what [`Memory::to_text`] wrote.
    ///
    /// # Errors
    /// [`UnreadableMemory`].
    pub fn read(text: Option<&str>) -> Result<Self, UnreadableMemory> {
        match text {
            None => Ok(Self::default()),
            Some(text) => serde_json::from_str(text).map(|turns| Self { turns }).map_err(UnreadableMemory),
        }
    }

    /// The turns, oldest first.
    #[must_use]
    pub fn turns(&self) -> &[(String, String)] {
        &self.turns
    }

    /// Adds a question with its answer and forgets the oldest turns beyond the bounds.
    pub fn remember(&mut self, question: &str, answer: &str) {
        // Each of the two may take a half, so that the newest exchange always fits.
        for (role, text) in [("user", question), ("assistant", answer)] {
            self.turns.push((role.to_owned(), shortened(text, MEMORY_BYTES / 2).to_owned()));
        }
        let mut bytes = 0;
        let kept = self.turns.iter().rev().take(MEMORY_TURNS).take_while(|(_, text)| {
            bytes += text.len();
            bytes <= MEMORY_BYTES
        });
        let mut forgotten = self.turns.len() - kept.count();
        // A conversation begins with a question.
        forgotten += forgotten % 2;
        self.turns.drain(..forgotten.min(self.turns.len()));
    }

    /// The memory as it is stored.
    #[must_use]
    pub fn to_text(&self) -> String {
        // Pairs of strings always serialize.
        serde_json::to_string(&self.turns).unwrap_or_else(|_| "[]".to_owned())
    }
}

fn shortened(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
