//! How a common deadline is divided among those who stop one after another.

use std::time::Duration;

/// How long the next of `left` capabilities may take to stop when `remaining` is left for all of them: half of it, and at
/// least an even part.
///
/// Most stop at once and a few (those that drain work) need long, so even parts would cut the few short; a half lets one
/// that hangs spoil no more than half of what the others have. `left` counts the next one; zero means nothing is to do.
#[must_use]
pub fn share(remaining: Duration, left: usize) -> Duration {
    match left {
        0 => Duration::ZERO,
        1 => remaining,
        _ => remaining / 2,
    }
}
