//! What came of stopping.

use super::guard::Broken;
use octopussy_core::capability::CapabilityId;
use std::fmt;
use std::time::Duration;

/// How the stop or the clean-up of a capability went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// As it should.
    Clean,
    /// It said why not.
    Failed(String),
    /// It panicked.
    Panicked(String),
    /// It was dropped after this long.
    TimedOut(Duration),
    /// It blocks its thread and was left behind; what it holds is released when the process ends.
    Abandoned,
}

impl From<Broken> for Ending {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Panicked(message) => Self::Panicked(message),
            Broken::TimedOut(after) => Self::TimedOut(after),
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clean => f.write_str("clean"),
            Self::Failed(why) => write!(f, "failed: {why}"),
            Self::Panicked(message) => write!(f, "panicked: {message}"),
            Self::TimedOut(after) => write!(f, "not finished after {after:?}"),
            Self::Abandoned => f.write_str("blocked its thread and was left behind"),
        }
    }
}

/// How one capability ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// Which.
    pub capability: CapabilityId,
    /// Its stop.
    pub stop: Ending,
    /// Its clean-up, which follows whatever came of the stop.
    pub cleanup: Ending,
}

impl Stopped {
    /// Whether both went as they should.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.stop == Ending::Clean && self.cleanup == Ending::Clean
    }
}

/// What came of stopping the system.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ShutdownReport {
    /// Every capability that had started, in the order in which they were stopped.
    pub stopped: Vec<Stopped>,
}

impl ShutdownReport {
    /// Whether everything went as it should.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.stopped.iter().all(Stopped::is_clean)
    }
}

impl fmt::Display for ShutdownReport {
    /// One clause for each capability that did not end well.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return write!(f, "{} capabilities stopped cleanly", self.stopped.len());
        }
        let mut separator = "";
        for it in self.stopped.iter().filter(|it| !it.is_clean()) {
            write!(f, "{separator}{}: stop {}, clean-up {}", it.capability, it.stop, it.cleanup)?;
            separator = "; ";
        }
        Ok(())
    }
}
