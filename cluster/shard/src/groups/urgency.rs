//! What may use the reserve of a line.

/// Whether a command brings new work or moves accepted work on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    NewWork,
    InProgress,
}
