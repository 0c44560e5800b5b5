//! How long to wait before a task is tried again.

use octopussy_core::ids::TaskId;
use std::time::Duration;

/// Exponential backoff with jitter. The jitter comes from the task's own random id, so that tasks that failed together do
/// not come back together, and nobody has to draw a random number.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// The wait after the first attempt.
    pub base: Duration,
    /// The longest wait.
    pub max: Duration,
}

impl Backoff {
    /// The wait after `attempt` (counted from 1) of `task` failed: between one half of and the whole of the doubled base.
    #[must_use]
    pub fn wait(&self, task: TaskId, attempt: u32) -> Duration {
        let doubled = self.base.saturating_mul(1_u32 << attempt.saturating_sub(1).min(16)).min(self.max);
        let half = doubled / 2;
        (half + half.mul_f64(share(task, attempt))).min(self.max)
    }

    /// A wait that somebody asked for, and a little more: those who were asked together do not come back together.
    #[must_use]
    pub fn spread(&self, task: TaskId, asked: Duration) -> Duration {
        asked + self.base.mul_f64(share(task, 0))
    }
}

/// Between 0 and 1, by the task's own id.
fn share(task: TaskId, attempt: u32) -> f64 {
    let [.., a, b, _, _, _, _] = *task.as_bytes();
    f64::from(u16::from_be_bytes([a, b]).rotate_left(attempt)) / f64::from(u16::MAX)
}
