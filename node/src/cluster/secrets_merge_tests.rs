use super::*;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_millis(1_000);

fn agreed(value: u8, at: u64) -> Agreed {
    Agreed { digest: [value; 32], set_at: Timestamp::from_millis(at) }
}

/// What is done about a secret called `a`.
fn step(base: Option<Agreed>, local: Option<u8>, cluster: Option<Agreed>, noticed: Option<u64>) -> Option<Step> {
    step_for("a", base, local, cluster, noticed)
}

fn step_for(
    name: &str,
    base: Option<Agreed>,
    local: Option<u8>,
    cluster: Option<Agreed>,
    noticed: Option<u64>,
) -> Option<Step> {
    let base = Base(base.into_iter().map(|agreed| (name.to_owned(), agreed)).collect());
    let sides = Sides {
        local: local.into_iter().map(|value| (name.to_owned(), [value; 32])).collect(),
        cluster: cluster.into_iter().map(|agreed| (name.to_owned(), agreed)).collect(),
        noticed: noticed.into_iter().map(|at| (name.to_owned(), Timestamp::from_millis(at))).collect(),
    };
    let mut steps = merge(&base, &sides, NOW);
    assert!(steps.len() <= 1);
    steps.pop()
}

#[test]
fn a_change_goes_to_the_side_that_has_not_changed() {
    let (old, new) = (agreed(1, 10), agreed(2, 20));
    let name = || "a".to_owned();
    assert_eq!(step(Some(old), Some(1), Some(old), None), None);
    assert_eq!(step(Some(old), Some(1), Some(new), None), Some(Step::Take { name: name(), agreed: new }));
    assert_eq!(step(Some(old), Some(1), None, None), Some(Step::Drop { name: name() }));
    assert_eq!(step(Some(old), Some(2), Some(old), None), Some(Step::Give { name: name(), set_at: NOW }));
    assert_eq!(step(Some(old), None, Some(old), None), Some(Step::Withdraw { name: name() }));
    assert_eq!(step(None, Some(1), None, None), Some(Step::Give { name: name(), set_at: NOW }));
    assert_eq!(step(None, None, Some(new), None), Some(Step::Take { name: name(), agreed: new }));
    assert_eq!(step(None, Some(2), Some(new), None), Some(Step::Agree { name: name(), agreed: new }));
    assert_eq!(step(Some(old), None, None, None), Some(Step::Forget { name: name() }));
}

#[test]
fn of_two_changes_the_later_wins_and_without_a_time_the_clusters() {
    let (old, theirs) = (agreed(1, 10), agreed(2, 20));
    let take = Some(Step::Take { name: "a".to_owned(), agreed: theirs });
    let give = Some(Step::Give { name: "a".to_owned(), set_at: NOW });
    assert_eq!(step(Some(old), Some(3), Some(theirs), Some(19)), take);
    assert_eq!(step(Some(old), Some(3), Some(theirs), Some(21)), give);
    assert_eq!(step(Some(old), Some(3), Some(theirs), None), take, "a change of an unknown time won");
    assert_eq!(step(None, Some(3), Some(theirs), None), take, "a node without a base overwrote the cluster");
    let future = agreed(2, 5_000);
    let late = Some(Step::Give { name: "a".to_owned(), set_at: Timestamp::from_millis(5_001) });
    assert_eq!(
        step(Some(future), Some(3), Some(future), None),
        late,
        "a new value looks older than the one it replaces"
    );
}

/// A node, as the steps change it.
#[derive(Debug, Clone, Default)]
struct Node {
    base: Base,
    local: BTreeMap<String, [u8; 32]>,
    noticed: BTreeMap<String, Timestamp>,
}

impl Node {
    /// Merges with the cluster, whose machine keeps the later of two values.
    fn sync(&mut self, cluster: &mut BTreeMap<String, Agreed>, now: Timestamp) -> usize {
        let sides =
            Sides { local: self.local.clone(), cluster: cluster.clone(), noticed: std::mem::take(&mut self.noticed) };
        let steps = merge(&self.base, &sides, now);
        let count = steps.len();
        for step in steps {
            match step {
                Step::Take { name, agreed } => {
                    self.local.insert(name.clone(), agreed.digest);
                    self.base.0.insert(name, agreed);
                }
                Step::Drop { name } => {
                    self.local.remove(&name);
                    self.base.0.remove(&name);
                }
                Step::Give { name, set_at } => {
                    let agreed = Agreed { digest: self.local[&name], set_at };
                    cluster.insert(name.clone(), agreed);
                    self.base.0.insert(name, agreed);
                }
                Step::Withdraw { name } => {
                    cluster.remove(&name);
                    self.base.0.remove(&name);
                }
                Step::Agree { name, agreed } => {
                    self.base.0.insert(name, agreed);
                }
                Step::Forget { name } => {
                    self.base.0.remove(&name);
                }
            }
        }
        count
    }
}

proptest! {
    /// Whatever was set and removed where: when the changes end, the nodes come to the same, and then nothing moves any more.
    #[test]
    fn nodes_come_to_agree_and_then_rest(
        changes in prop::collection::vec((0usize..3, 0u8..3, prop::option::of(0u8..9), any::<bool>()), 0..40),
    ) {
        let mut nodes = vec![Node::default(); 3];
        let mut cluster = BTreeMap::new();
        let mut time = 0;
        for (node, name, value, sync) in changes {
            time += 1;
            let now = Timestamp::from_millis(time);
            let name = format!("s{name}");
            match value {
                Some(value) => { nodes[node].local.insert(name.clone(), [value; 32]); }
                None => { nodes[node].local.remove(&name); }
            }
            nodes[node].noticed.insert(name, now);
            if sync {
                nodes[node].sync(&mut cluster, now);
            }
        }
        for round in 0..3 {
            for node in &mut nodes {
                node.sync(&mut cluster, Timestamp::from_millis(10_000 + round));
            }
        }
        let mut moved = 0;
        for node in &mut nodes {
            moved += node.sync(&mut cluster, Timestamp::from_millis(20_000));
        }
        prop_assert_eq!(moved, 0);
        let have: BTreeMap<_, _> = cluster.iter().map(|(name, agreed)| (name.clone(), agreed.digest)).collect();
        for node in &nodes {
            prop_assert_eq!(&node.local, &have);
        }
    }
}
