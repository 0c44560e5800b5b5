//! What a node leads that cannot write, or does not know what time it is, goes to one that can.

use super::boundary;
use super::closing::heir;
use super::core::Core;
use super::group::Group;
use super::reconciler::HAND_OVER_LIMIT;
use std::sync::Arc;

/// Why a node gives away what it leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relief {
    /// Nothing can be committed here, so that there is nothing to wait for.
    CannotWrite,
    /// Its clock differs from the others'. Until the end of a step it goes by theirs.
    WrongClock,
}

impl Relief {
    const fn words(self) -> &'static str {
        match self {
            Self::CannotWrite => "this node cannot write",
            Self::WrongClock => "this node's clock is wrong",
        }
    }
}

/// Begins to give the groups away, each beside the caller; those of which one is being moved on already are left to that.
///
/// Whoever does not take a group over in time is elected soon: a leader that cannot write does not beat either.
pub(super) fn give_away(core: &Arc<Core>, led: &[Arc<Group>], why: Relief) {
    // What has fallen silent already is nobody's to give.
    for group in led.iter().filter(|group| group.speaks()) {
        let Some(to) = heir(core, group) else { continue };
        if !group.claim() {
            continue;
        }
        tracing::warn!(group = %group.id(), %to, "{}: another is to lead the group", why.words());
        let (core, group) = (Arc::clone(core), Arc::clone(group));
        core.clone().tasks.spawn(async move {
            let give = async {
                match why {
                    Relief::CannotWrite => drop(group.hand_over(to, HAND_OVER_LIMIT).await),
                    Relief::WrongClock => {
                        let heir = || heir(&core, &group).filter(|_| core.context.clocks.is_outlier());
                        drop(boundary::hand_over(&core, &group, to, heir).await);
                    }
                }
            };
            tokio::select! {
                () = give => {}
                () = core.stopping.cancelled() => {}
            }
            group.release();
        });
    }
}
