//! Whether a process is the one that was meant: a pid alone may have been given to another process since.

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// When the process began, in the kernel's ticks since boot; a pid and this together name one process. `None` where the system
/// does not tell, or when there is no such process.
pub(crate) fn start_ticks(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let stat = parse(&stat)?;
    // The main thread of a process that ends may be a zombie while other threads still hold its locks and ports.
    let ended = stat.zombie && other_threads(pid) == 0;
    (!ended).then_some(stat.ticks)
}

/// What is needed of a line in `/proc/PID/stat`.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    zombie: bool,
    ticks: u64,
}

fn parse(stat: &str) -> Option<Stat> {
    // The name in parentheses may contain anything, so fields are counted from behind it; the start is the 22nd of all.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let zombie = fields.next()? == "Z";
    Some(Stat { zombie, ticks: fields.nth(18)?.parse().ok()? })
}

/// How many threads the process has besides its main one.
fn other_threads(pid: u32) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    tasks.filter(|task| task.file_name().to_str() != Some(pid.to_string().as_str())).count()
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
    fn the_name_of_a_program_does_not_confuse() {
        let fields = "1 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 777 0 0";
        assert_eq!(parse(&format!("9 (a) Z (b) S {fields}")), Some(Stat { zombie: false, ticks: 777 }));
        assert_eq!(parse(&format!("9 (a) Z {fields}")), Some(Stat { zombie: true, ticks: 777 }));
        assert_eq!(parse("9 (a"), None);
    }

    /// As the kernel shows a process whose main thread has ended first.
    #[test]
    fn a_process_runs_for_as_long_as_one_of_its_threads() {
        if !std::path::Path::new("/proc/self/stat").exists()
            || std::process::Command::new("python3").arg("-V").output().is_err()
        {
            println!("skipped: this needs /proc and python3");
            return;
        }
        let program = "import ctypes,os,sys,threading\n\
                       threading.Thread(target=lambda: sys.stdin.read()).start()\n\
                       ctypes.CDLL(None).syscall(60, 0)\n";
        let mut child = std::process::Command::new("python3")
            .args(["-c", program])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let pid = child.id();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        let zombie = || {
            std::fs::read_to_string(format!("/proc/{pid}/stat"))
                .ok()
                .and_then(|stat| parse(&stat))
                .is_some_and(|stat| stat.zombie)
        };
        while !zombie() {
            assert!(std::time::Instant::now() < deadline, "the main thread does not end");
            std::thread::yield_now();
        }
        assert!(is_running(pid, None), "its other thread still holds what it has open");
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(!is_running(pid, None));
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
