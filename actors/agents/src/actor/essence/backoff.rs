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
    /// A model that said when to come back is believed, up to the maximum.
    #[must_use]
    pub fn wait(&self, task: TaskId, attempt: u32, asked: Option<Duration>) -> Duration {
        let doubled = self.base.saturating_mul(1_u32 << attempt.saturating_sub(1).min(16)).min(self.max);
        let [.., a, b, _, _, _, _] = *task.as_bytes();
        let share = u32::from(u16::from_be_bytes([a, b]).rotate_left(attempt));
        let half = doubled / 2;
        let wait = half + half.mul_f64(f64::from(share) / f64::from(u16::MAX));
        wait.max(asked.unwrap_or_default()).min(self.max)
    }
}
