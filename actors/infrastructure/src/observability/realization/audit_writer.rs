//! One thread writes the audit log, so that nobody waits for the disk.

use super::audit_file::AuditFile;
use crate::observability::AuditConfig;
use crate::observability::essence::{AuditBody, ChainKey};
use octopussy_core::ports::{AuditError, AuditEvent};
use octopussy_core::time::{Clock, Timestamp};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How many records are written at once: enough to make one write of a burst, few enough to keep its buffer small.
const BATCH: usize = 512;

/// The longest a written record waits for its fsync.
const SYNC_AFTER: Duration = Duration::from_secs(1);

/// Who waits until a record is on the disk.
type Waiting = oneshot::Sender<Result<(), AuditError>>;

/// An event on its way into the log.
struct Queued {
    at: Timestamp,
    event: AuditEvent,
    waiting: Option<Waiting>,
}

#[derive(Default)]
struct Shared {
    /// Events that are not in the log because the queue was full or the disk refused.
    lost: AtomicU64,
    written: AtomicU64,
    stopping: AtomicBool,
}

/// Takes events for the writer. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct AuditSender {
    queue: SyncSender<Queued>,
    shared: Arc<Shared>,
}

impl AuditSender {
    /// Queues an event; when there is no room it is counted, and a gap record will say so.
    pub(crate) fn send(&self, at: Timestamp, event: AuditEvent) {
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            self.queue.try_send(Queued { at, event, waiting: None })
        {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Queues an event and answers once it is on the disk. When there is no room, nothing is written.
    pub(crate) fn send_durably(
        &self,
        at: Timestamp,
        event: AuditEvent,
    ) -> Result<oneshot::Receiver<Result<(), AuditError>>, AuditError> {
        let (waiting, written) = oneshot::channel();
        match self.queue.try_send(Queued { at, event, waiting: Some(waiting) }) {
            Ok(()) => Ok(written),
            Err(TrySendError::Full(_)) => Err(AuditError("too many records wait for the disk".to_owned())),
            Err(TrySendError::Disconnected(_)) => Err(AuditError("the node is stopping".to_owned())),
        }
    }

    /// How many events have been written.
    pub(crate) fn written(&self) -> u64 {
        self.shared.written.load(Ordering::Relaxed)
    }
}

/// The writing thread.
pub(crate) struct AuditWriter {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl AuditWriter {
    /// Opens the log and starts the thread.
    pub(crate) fn start(
        path: &Path,
        config: &AuditConfig,
        key: ChainKey,
        clock: Arc<dyn Clock>,
    ) -> std::io::Result<(AuditSender, Self)> {
        let file = AuditFile::open(path, config, key, clock.now())?;
        let shared = Arc::new(Shared::default());
        let (sender, receiver) = sync_channel(config.queue);
        let writer = Writer { file, receiver, shared: shared.clone(), clock };
        let thread = std::thread::Builder::new().name("audit".to_owned()).spawn(move || writer.run())?;
        Ok((AuditSender { queue: sender, shared: shared.clone() }, Self { shared, thread: Some(thread) }))
    }

    /// Writes what is queued, fsyncs and ends the thread. Blocks until that is done.
    pub(crate) fn stop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("the audit writer ended in a panic");
            }
        }
    }
}

struct Writer {
    file: AuditFile,
    receiver: Receiver<Queued>,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
}

impl Writer {
    fn run(mut self) {
        let mut synced = Instant::now();
        let mut reported = false;
        loop {
            // Short enough that a stop is noticed at once on a human scale, and that fsync keeps its promise.
            let first = match self.receiver.recv_timeout(Duration::from_millis(100)) {
                Ok(first) => Some(first),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let stop = self.shared.stopping.load(Ordering::Acquire) && first.is_none();
            if let Err(error) = self.write(first) {
                if !std::mem::replace(&mut reported, true) {
                    tracing::error!(%error, "the audit log cannot be written; lost records are counted");
                }
            } else {
                reported = false;
            }
            if self.file.is_dirty() && (stop || synced.elapsed() >= SYNC_AFTER) {
                self.sync();
                synced = Instant::now();
            }
            if stop {
                return;
            }
        }
        self.sync();
    }

    fn write(&mut self, first: Option<Queued>) -> std::io::Result<()> {
        let (mut records, mut waiting) = (Vec::new(), Vec::new());
        let mut next = first;
        while let Some(queued) = next {
            records.push((queued.at, AuditBody::Event(queued.event)));
            waiting.extend(queued.waiting);
            next = if records.len() < BATCH { self.receiver.try_recv().ok() } else { None };
        }
        let events = records.len() as u64;
        let lost = self.shared.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            records.push((self.clock.now(), AuditBody::Gap { lost }));
        }
        if records.is_empty() {
            return Ok(());
        }
        // A file that is too long is better than records that are not written.
        if let Err(error) = self.file.rotate(self.clock.now()) {
            tracing::error!(%error, "the audit log cannot be put aside; it goes on in the same file");
        }
        let written = self.file.append(&records);
        match &written {
            Ok(()) => self.shared.written.fetch_add(events, Ordering::Relaxed),
            Err(_) => self.shared.lost.fetch_add(lost + events, Ordering::Relaxed),
        };
        if !waiting.is_empty() {
            let on_disk = match &written {
                Ok(()) => self.file.sync().map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            for waiting in waiting {
                // Whoever has stopped waiting has not done what was to be recorded.
                drop(waiting.send(on_disk.clone().map_err(AuditError)));
            }
        }
        written
    }

    fn sync(&mut self) {
        if let Err(error) = self.file.sync() {
            tracing::error!(%error, "the audit log cannot be synchronised with the disk");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::audit_verify::{AuditVerified, AuditVerifyError, put_aside, verify_audit};
    use super::*;
    use octopussy_core::ports::AuditOutcome;
    use std::os::unix::fs::PermissionsExt;
    use zeroize::Zeroizing;

    const KEY: [u8; 32] = [7; 32];

    fn key() -> ChainKey {
        ChainKey::new(Zeroizing::new(KEY))
    }

    fn verify(path: &Path) -> Result<AuditVerified, AuditVerifyError> {
        verify_audit(path, Zeroizing::new(KEY))
    }

    struct Fixed;
    impl Clock for Fixed {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(7)
        }
    }

    fn event(number: usize) -> AuditEvent {
        AuditEvent {
            action: "test".to_owned(),
            actor: "tester".to_owned(),
            subject: number.to_string(),
            outcome: AuditOutcome::Allowed,
            detail: "a \"quoted\" reason\nand a line".to_owned(),
            trace_id: None,
        }
    }

    fn config(queue: usize) -> AuditConfig {
        AuditConfig { queue, ..AuditConfig::default() }
    }

    fn write(path: &Path, queue: usize, events: usize) {
        write_with(path, &config(queue), events);
    }

    fn write_with(path: &Path, config: &AuditConfig, events: usize) {
        let (sender, mut writer) = AuditWriter::start(path, config, key(), Arc::new(Fixed)).unwrap();
        for number in 0..events {
            sender.send(Timestamp::from_millis(1), event(number));
        }
        writer.stop();
    }

    #[test]
    fn a_restarted_log_continues_its_chain() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("audit/audit.jsonl");
        write(&path, 64, 10);
        write(&path, 64, 10);
        assert_eq!(verify(&path).unwrap().records, 20);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    /// Every batch puts the file aside that the one before it has begun.
    fn eager() -> AuditConfig {
        AuditConfig { queue: 64, rotate_mb: 0, keep_files: 3 }
    }

    #[test]
    fn the_chain_goes_on_from_file_to_file_and_the_oldest_go() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("audit.jsonl");
        let mut records = 0;
        for round in 1..=3 {
            write_with(&path, &eager(), 1);
            let verified = verify(&path).unwrap();
            assert_eq!((verified.first, verified.files), (1, round), "{verified:?}");
            assert!(verified.records > records, "{verified:?}");
            records = verified.records;
        }
        for _ in 0..4 {
            write_with(&path, &eager(), 1);
        }
        let verified = verify(&path).unwrap();
        assert_eq!(verified.files, 4);
        assert!(verified.first > 1, "the oldest are gone: {verified:?}");
        let aside = put_aside(&path).unwrap();
        let middle = std::fs::read_to_string(&aside[1]).unwrap();
        std::fs::write(&aside[1], middle.replace("\"subject\":\"0\"", "\"subject\":\"1\"")).unwrap();
        let broken = verify(&path).unwrap_err();
        assert!(matches!(&broken, AuditVerifyError::Broken { file, .. } if *file == aside[1]), "{broken}");
        std::fs::remove_file(&aside[1]).unwrap();
        let broken = verify(&path).unwrap_err();
        assert!(matches!(&broken, AuditVerifyError::Broken { file, line: 1, .. } if *file == aside[2]), "{broken}");
    }

    #[test]
    fn a_crash_right_after_the_file_was_put_aside_does_not_break_the_chain() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("audit.jsonl");
        write(&path, 64, 5);
        std::fs::rename(&path, home.path().join("audit-000000000000005.jsonl")).unwrap();
        write(&path, 64, 2);
        let verified = verify(&path).unwrap();
        assert_eq!((verified.records, verified.files), (7, 2));
    }

    #[test]
    fn what_does_not_fit_is_recorded_as_a_gap() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("audit.jsonl");
        write(&path, 16, 5_000);
        verify(&path).unwrap();
        let (mut kept, mut lost) = (0, 0);
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            kept += u64::from(record.get("event").is_some());
            lost += record["gap"]["lost"].as_u64().unwrap_or(0);
        }
        assert_eq!(kept + lost, 5_000);
    }

    #[test]
    fn a_torn_end_is_moved_aside_and_noted() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("audit.jsonl");
        for torn in ["{\"seq\":4,\"at\"", "garbage\n\0\0\0", "\0"] {
            write(&path, 64, 3);
            let mut text = std::fs::read(&path).unwrap();
            text.extend(torn.as_bytes());
            std::fs::write(&path, text).unwrap();
            assert!(verify(&path).is_err());
            let (_, mut writer) = AuditWriter::start(&path, &config(64), key(), Arc::new(Fixed)).unwrap();
            writer.stop();
            assert_eq!(verify(&path).unwrap().records, 4);
            let moved = path.with_extension("unfinished-7");
            assert_eq!(std::fs::read(&moved).unwrap(), torn.as_bytes());
            std::fs::remove_file(moved).unwrap();
            std::fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn a_changed_record_is_named_by_its_line() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("audit.jsonl");
        write(&path, 64, 5);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen("\"subject\":\"2\"", "\"subject\":\"9\"", 1)).unwrap();
        assert!(matches!(verify(&path), Err(AuditVerifyError::Broken { line: 3, .. })));
    }

    #[test]
    fn a_log_of_which_nothing_holds_is_not_taken_for_an_empty_one() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("audit.jsonl");
        write(&path, 64, 3);
        assert_eq!(verify(&path).unwrap().begun_anew_beside, None);
        // Whoever may write the file and has no key makes it unreadable, so that the node begins anew.
        std::fs::write(&path, "x".repeat(2 * 1024 * 1024)).unwrap();
        write(&path, 64, 1);
        let verified = verify(&path).unwrap();
        assert_eq!(verified.begun_anew_beside.as_deref(), Some("audit.unfinished-7"), "{verified:?}");
        let moved = home.path().join("audit.unfinished-7");
        assert_eq!(std::fs::metadata(moved).unwrap().len(), 2 * 1024 * 1024);
    }

    #[tokio::test]
    async fn a_record_that_is_waited_for_is_on_the_disk_or_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("audit.jsonl");
        let (sender, mut writer) = AuditWriter::start(&path, &config(64), key(), Arc::new(Fixed)).unwrap();
        sender.send_durably(Timestamp::from_millis(1), event(1)).unwrap().await.unwrap().unwrap();
        assert_eq!(verify(&path).unwrap().records, 1);
        writer.stop();
        let late = match sender.send_durably(Timestamp::from_millis(2), event(2)) {
            Ok(written) => written.await.ok(),
            Err(error) => Some(Err(error)),
        };
        assert!(!matches!(late, Some(Ok(()))), "{late:?}");
        // A disk that takes nothing.
        let full = AuditFile::open(Path::new("/dev/full"), &config(64), key(), Timestamp::from_millis(3));
        let Ok(full) = full else { return };
        let (queue, receiver) = sync_channel(4);
        let mut writer = Writer { file: full, receiver, shared: Arc::default(), clock: Arc::new(Fixed) };
        let sender = AuditSender { queue, shared: writer.shared.clone() };
        let written = sender.send_durably(Timestamp::from_millis(4), event(3)).unwrap();
        let first = writer.receiver.try_recv().ok();
        assert!(writer.write(first).is_err());
        assert!(written.await.unwrap().is_err());
    }
}
