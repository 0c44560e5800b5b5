//! Which lives of the other members this node knows of: those it has met itself, and those that the control group has committed.
//! On the disk, so that a stop of everything forgets none.

use super::home::{ClusterHome, HomeError};
use octopussy_control::{ControlState, MAX_MEMBERS};
use octopussy_core::ids::NodeId;
use octopussy_core::lineage::{Conflict, Lineage, Met};
use octopussy_core::time::Clock;
use octopussy_mesh::LifeMemory;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is known of the others, by node.
pub(crate) type Acquainted = BTreeMap<NodeId, Met>;

/// The lives of the others.
pub(crate) struct Acquaintances {
    me: NodeId,
    home: ClusterHome,
    clock: Arc<dyn Clock>,
    /// Held while it is written, so that what is on the disk is never older than what was answered.
    met: Mutex<Acquainted>,
}

impl std::fmt::Debug for Acquaintances {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acquaintances").field("known", &self.met.lock().len()).finish_non_exhaustive()
    }
}

impl Acquaintances {
    /// What the home remembers.
    ///
    /// # Errors
    /// [`HomeError`]: it cannot be read.
    pub(crate) fn open(me: NodeId, home: ClusterHome, clock: Arc<dyn Clock>) -> Result<Arc<Self>, HomeError> {
        let met = Mutex::new(home.acquaintances()?);
        Ok(Arc::new(Self { me, home, clock, met }))
    }

    /// Takes over what the control group has committed. Blocks.
    pub(crate) fn follow(&self, control: &ControlState) {
        let mut met = self.met.lock();
        let mut changed = false;
        for (node, committed) in &control.lives {
            if *node != self.me && met.get(node).is_none_or(|known| is_later(committed, known)) {
                met.insert(*node, *committed);
                changed = true;
            }
        }
        let before = met.len();
        met.retain(|node, _| !control.departed.contains_key(node));
        if changed || met.len() != before {
            self.keep(&met);
        }
    }

    fn keep(&self, met: &Acquainted) {
        if let Err(error) = self.home.set_acquaintances(met) {
            // Whoever comes back is still recognised by this process, and by the others.
            tracing::warn!(%error, "which starts of other nodes are known cannot be written down");
        }
    }
}

/// Whether what is committed tells more than what is known. Of two starts that contradict each other the committed one counts.
fn is_later(committed: &Met, known: &Met) -> bool {
    let (new, old) = (committed.life, known.life);
    new.epoch > old.epoch || (new.epoch == old.epoch && (new.id != old.id || new.reached > old.reached))
}

impl LifeMemory for Acquaintances {
    fn meet(&self, node: NodeId, lineage: &Lineage) -> Result<(), Conflict> {
        let mut met = self.met.lock();
        let before = met.get(&node).copied();
        let remembered = lineage.remembered(before.as_ref(), self.clock.now())?;
        if before != Some(remembered) && (before.is_some() || met.len() < MAX_MEMBERS) {
            met.insert(node, remembered);
            self.keep(&met);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octopussy_core::time::Timestamp;

    const ME: NodeId = NodeId([1; 16]);
    const A: NodeId = NodeId([2; 16]);

    #[derive(Debug)]
    struct Still;

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(5)
        }
    }

    fn open(folder: &tempfile::TempDir) -> Arc<Acquaintances> {
        Acquaintances::open(ME, ClusterHome::of(folder.path()), Arc::new(Still)).unwrap()
    }

    #[test]
    fn a_copy_is_recognised_after_a_stop_of_everything() {
        let folder = tempfile::tempdir().unwrap();
        let mut home = Lineage::first(1, 1, 10);
        let mut copy = home.clone();
        home.begin(11);
        copy.begin(12);
        open(&folder).meet(A, &home).unwrap();
        let again = open(&folder);
        assert!(matches!(again.meet(A, &copy), Err(Conflict::Twice { known: 2, .. })));
        again.meet(A, &home).unwrap();
    }

    #[test]
    fn what_the_control_group_knows_counts_for_those_who_were_away() {
        let folder = tempfile::tempdir().unwrap();
        let mut home = Lineage::first(1, 1, 10);
        let mut copy = home.clone();
        home.begin(11);
        copy.begin(12);
        let mut control = ControlState::default();
        control.lives.insert(A, home.remembered(None, Timestamp::EPOCH).unwrap());
        control.lives.insert(ME, Lineage::numbered(3).remembered(None, Timestamp::EPOCH).unwrap());
        let known = open(&folder);
        // The copy was there first; the cluster knows better.
        known.meet(A, &copy).unwrap();
        known.follow(&control);
        known.meet(A, &copy).unwrap_err();
        known.meet(A, &home).unwrap();
        assert!(!known.met.lock().contains_key(&ME));
        home.begin(13);
        known.meet(A, &home).unwrap();
        known.follow(&control);
        known.meet(A, &home).unwrap();
        assert_eq!(known.met.lock()[&A].life.epoch, 3, "what was met since is later than what is committed");
        control.departed.insert(A, Timestamp::EPOCH);
        control.lives.clear();
        known.follow(&control);
        assert!(open(&folder).met.lock().is_empty());
    }
}
