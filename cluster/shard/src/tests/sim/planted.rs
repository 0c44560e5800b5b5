//! Faults that are planted to see whether the invariants find them.

/// A fault that is planted to see whether the invariants find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Planted {
    Nothing,
    /// Disks lose what was fsynced last when their node crashes.
    NoFsync,
    /// Tasks count as acknowledged once they are in line at their leader, before a quorum has them.
    EarlyAcknowledgement,
    /// Whoever asks again does not say that it is the same request.
    NoKeys,
    /// Hosts do not hear that their node leads no longer, and go on under the epoch they had.
    Deaf,
    /// Runs begin at the first step, whatever is in the journal.
    NoJournal,
    /// Clocks run at half their rate on some nodes, so that leases last longer than the others' patience.
    SlowClock,
    /// One node's store loses the rows of an index that nothing reads for days.
    LostRows,
    /// Machines cannot tell that they were suspended.
    Suspended,
    /// Leaders believe their own clocks, whatever the others' show.
    OwnClocks,
    /// Nodes whose disks hold an old copy are not told.
    OldHome,
}
