//! One thread writes the audit log, so that nobody waits for the disk.

use super::audit_file::AuditFile;
use crate::observability::AuditConfig;
use crate::observability::essence::AuditBody;
use octopussy_core::ports::AuditEvent;
use octopussy_core::time::{Clock, Timestamp};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How many records are written at once: enough to make one write of a burst, few enough to keep its buffer small.
const BATCH: usize = 512;

/// The longest a written record waits for its fsync.
const SYNC_AFTER: Duration = Duration::from_secs(1);

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
    queue: SyncSender<(Timestamp, AuditEvent)>,
    shared: Arc<Shared>,
}

impl AuditSender {
    /// Queues an event; when there is no room it is counted, and a gap record will say so.
    pub(crate) fn send(&self, at: Timestamp, event: AuditEvent) {
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.queue.try_send((at, event)) {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
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
        clock: Arc<dyn Clock>,
    ) -> std::io::Result<(AuditSender, Self)> {
        let file = AuditFile::open(path, config, clock.now())?;
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
    receiver: Receiver<(Timestamp, AuditEvent)>,
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

    fn write(&mut self, first: Option<(Timestamp, AuditEvent)>) -> std::io::Result<()> {
        let mut records: Vec<_> = first.into_iter().map(|(at, event)| (at, AuditBody::Event(event))).collect();
        while !records.is_empty() && records.len() < BATCH {
            match self.receiver.try_recv() {
                Ok((at, event)) => records.push((at, AuditBody::Event(event))),
                Err(_) => break,
            }
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
    use super::super::audit_verify::{AuditVerifyError, put_aside, verify_audit};
    use super::*;
    use octopussy_core::ports::AuditOutcome;
    use std::os::unix::fs::PermissionsExt;

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
        let (sender, mut writer) = AuditWriter::start(path, config, Arc::new(Fixed)).unwrap();
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
        assert_eq!(verify_audit(&path).unwrap().records, 20);
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
            let verified = verify_audit(&path).unwrap();
            assert_eq!((verified.first, verified.files), (1, round), "{verified:?}");
            assert!(verified.records > records, "{verified:?}");
            records = verified.records;
        }
        for _ in 0..4 {
            write_with(&path, &eager(), 1);
        }
        let verified = verify_audit(&path).unwrap();
        assert_eq!(verified.files, 4);
        assert!(verified.first > 1, "the oldest are gone: {verified:?}");
        let aside = put_aside(&path).unwrap();
        let middle = std::fs::read_to_string(&aside[1]).unwrap();
        std::fs::write(&aside[1], middle.replace("\"subject\":\"0\"", "\"subject\":\"1\"")).unwrap();
        let broken = verify_audit(&path).unwrap_err();
        assert!(matches!(&broken, AuditVerifyError::Broken { file, .. } if *file == aside[1]), "{broken}");
        std::fs::remove_file(&aside[1]).unwrap();
        let broken = verify_audit(&path).unwrap_err();
        assert!(matches!(&broken, AuditVerifyError::Broken { file, line: 1, .. } if *file == aside[2]), "{broken}");
    }

    #[test]
    fn a_crash_right_after_the_file_was_put_aside_does_not_break_the_chain() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("audit.jsonl");
        write(&path, 64, 5);
        std::fs::rename(&path, home.path().join("audit-000000000000005.jsonl")).unwrap();
        write(&path, 64, 2);
        let verified = verify_audit(&path).unwrap();
        assert_eq!((verified.records, verified.files), (7, 2));
    }

    #[test]
    fn what_does_not_fit_is_recorded_as_a_gap() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("audit.jsonl");
        write(&path, 16, 5_000);
        verify_audit(&path).unwrap();
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
            assert!(verify_audit(&path).is_err());
            let (_, mut writer) = AuditWriter::start(&path, &config(64), Arc::new(Fixed)).unwrap();
            writer.stop();
            assert_eq!(verify_audit(&path).unwrap().records, 4);
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
        assert!(matches!(verify_audit(&path), Err(AuditVerifyError::Broken { line: 3, .. })));
    }
}
