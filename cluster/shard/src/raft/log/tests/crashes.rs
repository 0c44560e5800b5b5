//! Crashes: hosts dropped in mid-flight, processes killed with -9.

use super::super::{GroupLog, LogId};
use super::support::*;
use crate::raft::types::GroupId;
use openraft::storage::{RaftLogReader, RaftLogStorage};
use std::collections::BTreeMap;
use std::future::Future;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::pin::Pin;
use std::process::{Child, Command, Stdio};

const GROUPS: u64 = 12;

/// What must be in a group after a crash, and what may be.
#[derive(Default)]
struct Model {
    /// The entries as they will be when all is written.
    log: BTreeMap<u64, LogId>,
    /// The index up to which they are acknowledged.
    acknowledged: Option<u64>,
    purged: Option<LogId>,
    vote: u64,
    term: u64,
    /// The last index known to be committed, by others if it is not acknowledged.
    committed: Option<u64>,
}

type Pending = Pin<Box<dyn Future<Output = bool> + Send>>;

impl Model {
    fn next(&self) -> u64 {
        let after = |id: &LogId| id.index + 1;
        self.log.values().next_back().map(after).or(self.purged.as_ref().map(after)).unwrap_or(0)
    }

    /// Makes one random write.
    async fn step(&mut self, random: &mut Random, log: &mut GroupLog, pending: &mut Vec<(u64, Pending)>) {
        match random.below(20) {
            0 => {
                self.vote += 1;
                log.save_vote(&vote(self.vote)).await.unwrap();
            }
            1 if self.log.len() > 4 => {
                // A new leader: what is not acknowledged is replaced.
                self.term += 1;
                let kept = [self.acknowledged, self.purged.map(|id| id.index), self.committed];
                let keep = kept.into_iter().max().flatten().map_or(0, |index| index + 1);
                self.log.split_off(&keep);
                let last = self.log.values().next_back().copied().or(self.purged);
                log.truncate_after(last).await.unwrap();
                pending.clear();
            }
            2 if self.acknowledged.is_some() => {
                let upto = self.acknowledged.unwrap().saturating_sub(random.below(5));
                if let Some(id) = self.log.get(&upto).copied() {
                    self.log = self.log.split_off(&(upto + 1));
                    self.purged = Some(id);
                    log.purge(id).await.unwrap();
                }
            }
            3 => {
                // The others may have it on their disks before this node has.
                let id = self.log.values().nth(random.below(self.log.len().max(1) as u64) as usize).copied();
                if let Some(id) = id.filter(|id| Some(id.index) > self.committed) {
                    self.committed = Some(id.index);
                    log.save_committed(Some(id)).await.unwrap();
                }
            }
            4..8 => {
                for (index, done) in pending.drain(..) {
                    assert!(within(done).await);
                    self.acknowledged = Some(index);
                }
            }
            _ => {
                let first = self.next();
                let last = first + random.below(4);
                let entries: Vec<_> = (first..=last).map(|index| entry(self.term, index)).collect();
                self.log.extend(entries.iter().map(|entry| (entry.log_id.index, entry.log_id)));
                pending.push((last, Box::pin(begin_append(log, entries).await)));
            }
        }
    }

    /// Compares with what is there after a crash, and takes that over.
    async fn check(&mut self, log: &GroupLog, what: &str) {
        let found: BTreeMap<u64, LogId> = ids(log).await.into_iter().map(|id| (id.index, id)).collect();
        for (index, id) in self.log.iter().filter(|(index, _)| Some(**index) <= self.acknowledged) {
            assert_eq!(found.get(index), Some(id), "{what}: an acknowledged entry is lost");
        }
        for (index, id) in &found {
            let purged = self.purged.is_some_and(|purged| *index <= purged.index);
            assert!(purged || self.log.get(index) == Some(id), "{what}: {id} is not what was written last");
        }
        let keys: Vec<u64> = found.keys().copied().collect();
        assert!(keys.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{what}: there is a gap in {keys:?}");
        assert_eq!(log.vote().map_or(0, |vote| vote.leader_id.term), self.vote, "{what}: a vote is lost");
        let committed = log.clone().read_committed().await.unwrap();
        assert!(committed <= log.last(), "{what}: more is committed than there is");
        self.term += 1;
        self.committed = committed.map(|id| id.index);
        self.purged = log.purged();
        self.log = found;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_a_host_is_dropped() {
    for seed in 1..=6 {
        let dir = tempfile::tempdir().unwrap();
        let mut random = Random::new(seed);
        let mut models: Vec<Model> = (0..GROUPS).map(|_| Model { term: 1, ..Model::default() }).collect();
        for round in 0..5 {
            let host = open(dir.path());
            let mut logs: Vec<_> = (0..GROUPS).map(|group| host.group(GroupId(group as u16))).collect();
            for (model, (log, group)) in models.iter_mut().zip(logs.iter().zip(0..)) {
                model.check(log, &format!("seed {seed}, round {round}, group {group}")).await;
            }
            let mut pending: Vec<_> = (0..GROUPS).map(|_| Vec::new()).collect();
            for _ in 0..400 {
                let group = random.below(GROUPS) as usize;
                models[group].step(&mut random, &mut logs[group], &mut pending[group]).await;
            }
            if round == 3 {
                close(host).await;
            }
        }
    }
}

const CHILD_DIR: &str = "OCTOPUSSY_LOG_CRASH_TEST_DIR";

/// Not a test of its own: what the child process of the next test runs. Without its variable it has nothing to do.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let host = open(Path::new(&dir));
        let groups = (0..GROUPS as u16).map(|group| {
            let mut log = host.group(GroupId(group));
            tokio::spawn(async move {
                let first = log.last().map_or(0, |last| last.index + 1);
                // Until it is killed, or long past the deadline of the test.
                for index in first..1_000_000 {
                    append(&mut log, vec![entry(1, index)]).await;
                    writeln!(std::io::stdout(), "done {group} {index}").unwrap();
                    if index % 64 == 63 {
                        log.purge(id(1, index - 32)).await.unwrap();
                    }
                }
            })
        });
        for group in groups.collect::<Vec<_>>() {
            group.await.unwrap();
        }
    });
}

/// Kills its process when a test ends early.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the child until it has acknowledged `count` entries, kills it, and notes the last acknowledged of each group.
fn run_and_kill(dir: &Path, count: usize, acknowledged: &mut BTreeMap<u16, u64>) {
    let name = module_path!().split_once("::").map_or("", |(_, path)| path).to_owned() + "::child";
    let child = Command::new(std::env::current_exe().unwrap())
        .args([&name, "--exact", "--nocapture"])
        .env(CHILD_DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut child = Killed(child);
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let mut note = |line: &str| {
        let Some((group, index)) = line.split_once("done ").and_then(|(_, rest)| rest.trim().split_once(' ')) else {
            return false;
        };
        let (Ok(group), Ok(index)) = (group.parse(), index.parse()) else { return false };
        acknowledged.insert(group, index);
        true
    };
    let mut seen = 0;
    while seen < count {
        seen += usize::from(note(&lines.next().expect("the child ended by itself").unwrap()));
    }
    child.0.kill().unwrap();
    child.0.wait().unwrap();
    lines.map_while(Result::ok).for_each(|line| {
        note(&line);
    });
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeMap::new();
    for round in 0..4 {
        run_and_kill(dir.path(), 100 + 300 * round, &mut acknowledged);
        let host = open(dir.path());
        for (group, index) in &acknowledged {
            let mut log = host.group(GroupId(*group));
            let last = log.last().unwrap().index;
            assert!(last >= *index, "group {group} ends at {last}, {index} was acknowledged");
            let from = log.purged().map_or(0, |purged| purged.index + 1);
            let found = log.try_get_log_entries(..).await.unwrap();
            assert!(found.iter().map(|entry| entry.log_id.index).eq(from..=last), "group {group} has a gap");
            assert!(found.iter().all(|found| *found == entry(1, found.log_id.index)));
        }
    }
}
