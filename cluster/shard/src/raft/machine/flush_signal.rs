//! How the flusher learns that there is something to do, and others that it is done.

use parking_lot::{Condvar, Mutex};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How much may be applied and not stored before it is stored ahead of its time: bounds memory and what a start applies again.
pub(super) const FLUSH_BYTES: usize = 8 * 1024 * 1024;

/// How much more may gather while the flusher is busy before applying waits for it.
const BACKLOG_BYTES: usize = 5 * FLUSH_BYTES;

/// What one shard may have gathered whatever the others have, up to twice the backlog together: where one shard writes more than the
/// disk takes, the others apply, acknowledge and beat as ever.
const SHARE_BYTES: usize = FLUSH_BYTES / 8;

#[derive(Default)]
struct Wanted {
    /// The number of the last round that somebody waits for.
    round: u64,
    /// Since when there is something to store.
    since: Option<Instant>,
    closing: bool,
}

/// How far the flusher is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Progress {
    round: u64,
    closed: bool,
}

/// How the flusher learns that there is something to do, and others that it is done.
pub(super) struct FlushSignal {
    wanted: Mutex<Wanted>,
    wake: Condvar,
    bytes: AtomicUsize,
    progress: watch::Sender<Progress>,
    closing: watch::Sender<bool>,
}

/// A round that the flusher is to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    pub(super) number: u64,
    /// Whether it is the last.
    pub(super) last: bool,
}

/// The flusher has ended, or is about to.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the node is stopping")]
pub(crate) struct Closed;

impl FlushSignal {
    pub(super) fn new() -> Self {
        Self {
            wanted: Mutex::default(),
            wake: Condvar::new(),
            bytes: AtomicUsize::new(0),
            progress: watch::Sender::new(Progress::default()),
            closing: watch::Sender::new(false),
        }
    }

    /// There is something to store; it has time.
    pub(super) fn touched(&self) {
        let mut wanted = self.wanted.lock();
        if wanted.since.is_none() {
            wanted.since = Some(Instant::now());
            self.wake.notify_one();
        }
    }

    /// `bytes` more wait to be stored.
    pub(super) fn add(&self, bytes: usize) {
        let before = self.bytes.fetch_add(bytes, Ordering::AcqRel);
        if before < FLUSH_BYTES && before + bytes >= FLUSH_BYTES {
            let _wanted = self.wanted.lock();
            self.wake.notify_one();
        }
    }

    /// `bytes` have been stored, or dropped.
    pub(super) fn subtract(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
    }

    fn has_room(&self, own: usize) -> bool {
        let all = self.bytes.load(Ordering::Acquire);
        all < BACKLOG_BYTES || (own < SHARE_BYTES && all < 2 * BACKLOG_BYTES)
    }

    /// Waits while so much waits to be stored that a shard should not add more; `own` is what that shard has waiting.
    pub(super) async fn room(&self, own: impl Fn() -> usize) -> Result<(), Closed> {
        if self.has_room(own()) {
            return Ok(());
        }
        let mut progress = self.progress.subscribe();
        loop {
            let closed = progress.borrow_and_update().closed;
            if self.has_room(own()) {
                return Ok(());
            }
            if closed || progress.changed().await.is_err() {
                return Err(Closed);
            }
        }
    }

    /// Waits until everything that is there now has been taken up by a round, and that is done.
    pub(super) async fn flush(&self) -> Result<(), Closed> {
        let mut progress = self.progress.subscribe();
        let round = {
            let mut wanted = self.wanted.lock();
            if wanted.closing {
                return Err(Closed);
            }
            wanted.round += 1;
            self.wake.notify_one();
            wanted.round
        };
        match progress.wait_for(|progress| progress.round >= round || progress.closed).await {
            Ok(progress) if progress.round >= round => Ok(()),
            Ok(_) | Err(_) => Err(Closed),
        }
    }

    /// Asks the flusher to end after a last round.
    pub(super) fn close(&self) {
        self.wanted.lock().closing = true;
        self.wake.notify_one();
        self.closing.send_replace(true);
    }

    pub(super) fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// Waits until the flusher has ended.
    pub(super) async fn closed(&self) {
        // The sender lives as long as this.
        let _ = self.progress.subscribe().wait_for(|progress| progress.closed).await;
    }

    /// Waits for `limit`, shorter when the flusher is asked to end. Says whether it is.
    pub(super) async fn pause(&self, limit: Duration) -> Result<(), Closed> {
        let mut closing = self.closing.subscribe();
        let closing = closing.wait_for(|closing| *closing);
        match tokio::time::timeout(limit, closing).await {
            Ok(_) => Err(Closed),
            Err(_) => Ok(()),
        }
    }

    /// For the flusher: waits until there is something to do.
    pub(super) fn next(&self, interval: Duration) -> Round {
        let mut wanted = self.wanted.lock();
        loop {
            match self.look(&mut wanted, interval) {
                Ok(round) => return round,
                Err(Some(left)) => drop(self.wake.wait_for(&mut wanted, left)),
                Err(None) => self.wake.wait(&mut wanted),
            }
        }
    }

    /// For the flusher: what there is to do now.
    #[cfg(test)]
    pub(super) fn due(&self, interval: Duration) -> Option<Round> {
        self.look(&mut self.wanted.lock(), interval).ok()
    }

    /// The round that is due; otherwise how long that takes, if something waits for it.
    fn look(&self, wanted: &mut Wanted, interval: Duration) -> Result<Round, Option<Duration>> {
        let asked = wanted.round > self.progress.borrow().round;
        let full = self.bytes.load(Ordering::Acquire) >= FLUSH_BYTES;
        let left = wanted.since.map(|since| interval.saturating_sub(since.elapsed()));
        if asked || full || wanted.closing || left == Some(Duration::ZERO) {
            wanted.since = None;
            return Ok(Round { number: wanted.round, last: wanted.closing });
        }
        Err(left)
    }

    /// For the flusher: waits for `limit`, shorter when it is asked to end. Says whether it is.
    pub(super) fn wait_closing(&self, limit: Duration) -> bool {
        let deadline = std::time::Instant::now() + limit;
        let mut wanted = self.wanted.lock();
        while !wanted.closing {
            if self.wake.wait_until(&mut wanted, deadline).timed_out() {
                break;
            }
        }
        wanted.closing
    }

    /// For the flusher: the round is done.
    pub(super) fn done(&self, round: Round) {
        self.progress.send_modify(|progress| progress.round = round.number);
    }

    /// For the flusher: it has ended.
    pub(super) fn ended(&self) {
        self.progress.send_modify(|progress| progress.closed = true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn a_shard_that_writes_more_than_the_disk_takes_holds_no_other_up() {
        let signal = FlushSignal::new();
        let may_apply = |own: usize| signal.room(|| own).now_or_never().is_some_and(|room| room.is_ok());
        signal.add(BACKLOG_BYTES);
        assert!(!may_apply(BACKLOG_BYTES), "the one that has filled it waits");
        assert!(may_apply(0) && may_apply(SHARE_BYTES - 1), "the others go on");
        signal.add(BACKLOG_BYTES);
        assert!(!may_apply(0), "the memory of all has a bound, too");
        signal.subtract(BACKLOG_BYTES + 1);
        assert!(may_apply(BACKLOG_BYTES));
    }
}
