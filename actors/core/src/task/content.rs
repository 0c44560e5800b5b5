//! What a task message's payload says.

use crate::agent::Document;
use serde::{Deserialize, Serialize};

/// The payload of a TASK message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskContent {
    /// What is to be done, in words.
    pub input: String,
    /// Material that belongs to this task alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<Document>,
    /// Earlier turns of the conversation, oldest first, as (role, text).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<(String, String)>,
    /// What the answer must respect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Constraint>,
}

/// One thing an answer must respect, in words.
pub type Constraint = String;
