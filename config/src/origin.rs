//! Where a value came from.

use std::fmt;
use std::sync::Arc;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A line of a file; shipped profiles appear as `profiles/local.yaml`.
    File {
        /// The file as it was named to the loader.
        file: Arc<str>,
        /// The line, from 1.
        line: u32,
    },
    /// An environment variable.
    Environment(Arc<str>),
    /// A setting on the command line.
    CommandLine(Arc<str>),
}

impl Origin {
    /// What a finding shows as its file: the file's name, or the variable's.
    #[must_use]
    pub fn place(&self) -> (&str, Option<u32>) {
        match self {
            Self::File { file, line } => (file, Some(*line)),
            Self::Environment(name) | Self::CommandLine(name) => (name, None),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line } => write!(f, "{file}:{line}"),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::CommandLine(option) => write!(f, "the command line's {option}"),
        }
    }
}
