//! How a group ends that nobody has stopped.

use super::group::Group;
use super::proposal::Fault;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Group {
    /// Whether its Raft has ended by itself: it panicked, or took something for fatal. Nothing is led or served then.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Notes that its Raft has ended by itself: this node is silent from here on, and the group is to be started again.
    pub(super) fn fall(self: &Arc<Self>) {
        self.ended.store(true, Ordering::Release);
        self.review();
        self.context.fallen.notify_one();
    }

    /// Begins to see to it that the group is started again; false when somebody does already.
    pub(super) fn begin_reviving(&self) -> bool {
        !self.reviving.swap(true, Ordering::AcqRel)
    }

    /// What callers hear whose command will not be taken any more: nothing of it was changed.
    pub(super) fn farewell(&self) -> Fault {
        // Others may lead the group, or this node may again in a moment.
        if self.has_ended() { Fault::NotLeader(None) } else { Fault::Stopping }
    }

    /// Waits until nothing works on the group's state any more, once it has been stopped: what was handed to the state
    /// machine before is applied to its end.
    pub(super) async fn unused(&self) {
        self.users.wait().await;
    }

    /// Stops what is left of a group that has ended, and answers with the reason of its end.
    pub(super) async fn bury(self: &Arc<Self>) -> String {
        self.stop().await;
        self.unused().await;
        match self.raft.trigger().heartbeat().await {
            Err(fatal) => fatal.to_string(),
            Ok(()) => "its reason is not known".to_owned(),
        }
    }
}
