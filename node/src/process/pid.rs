//! Whether a process is the one that was meant: a pid alone may have been given to another process since.

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// When the process began, in the kernel's ticks since boot; a pid and this together name one process. `None` where the system
/// does not tell, or when there is no such process.
pub(crate) fn start_ticks(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may contain anything, so fields are counted from behind it; the start is the 22nd of all.
    let fields = stat.rsplit_once(')')?.1;
    let mut fields = fields.split_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// Whether the process `pid` runs and began at `ticks`; without ticks, whether it runs at all.
pub(crate) fn is_running(pid: u32, ticks: Option<u64>) -> bool {
    if std::path::Path::new("/proc/self/stat").exists() {
        return start_ticks(pid).is_some_and(|found| ticks.is_none_or(|expected| expected == found));
    }
    to_pid(pid).is_some_and(|pid| test_kill_process(pid).is_ok())
}

/// Asks the process to end in good order.
pub(crate) fn terminate(pid: u32) -> std::io::Result<()> {
    let pid = to_pid(pid).ok_or(std::io::ErrorKind::InvalidInput)?;
    Ok(kill_process(pid, Signal::TERM)?)
}

fn to_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_counts_only_with_its_beginning() {
        let me = std::process::id();
        let ticks = start_ticks(me);
        assert!(is_running(me, ticks));
        assert!(is_running(me, None));
        if let Some(ticks) = ticks {
            assert!(!is_running(me, Some(ticks + 1)));
        }
    }

    #[test]
    fn an_ended_child_is_not_running_even_before_it_is_reaped() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        if std::path::Path::new("/proc/self/stat").exists() {
            while is_running(pid, None) {
                assert!(std::time::Instant::now() < deadline, "the child does not end");
                std::thread::yield_now();
            }
        }
        child.wait().unwrap();
        assert!(!is_running(pid, None));
    }
}
