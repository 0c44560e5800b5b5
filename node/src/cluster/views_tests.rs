use super::*;
use octopussy_control::{ClusterRecord, ReplicaSet, ShardPlace, VersionRange};
use octopussy_core::ids::ShardCount;
use octopussy_core::ports::MemberDesired;
use octopussy_core::time::Timestamp;
use octopussy_shard::{OwnLosses, UnendedUse};
use std::time::Duration;

const A: NodeId = NodeId([0xaa; 16]);
const B: NodeId = NodeId([0xbb; 16]);
const C: NodeId = NodeId([0xbc; 16]);

struct Reached(BTreeMap<NodeId, Reach>);

impl ReachabilityPort for Reached {
    fn reach(&self, node: NodeId) -> Reach {
        self.0.get(&node).copied().unwrap_or(Reach::Alive)
    }
    fn down_for(&self, node: NodeId) -> Option<Duration> {
        (self.reach(node) == Reach::Down).then_some(Duration::from_secs(240))
    }
}

fn member(id: NodeId, name: &str) -> MemberRecord {
    MemberRecord {
        id,
        name: name.to_owned(),
        addresses: vec!["192.0.2.1:47210".parse().unwrap()],
        role: MemberRole::Full,
        desired: MemberDesired::Active,
        capacity: 4,
        zone: None,
        versions: VersionRange { min: 1, max: 1 },
        joined_at: Timestamp::EPOCH,
    }
}

fn control(members: &[(NodeId, &str)], voters: &[NodeId]) -> ControlState {
    let shards = ShardCount::new(4).unwrap();
    let place =
        ShardPlace { current: ReplicaSet { voters: voters.to_vec(), learners: Vec::new() }, ..ShardPlace::default() };
    ControlState {
        cluster: Some(ClusterRecord { id: "c".to_owned(), shards, replication: 3, founded_at: Timestamp::EPOCH }),
        members: members.iter().map(|(id, name)| (*id, member(*id, name))).collect(),
        table: vec![place; 4],
        ..ControlState::default()
    }
}

fn seen<'a>(control: &'a ControlState, reach: &'a Reached, leader: &'a dyn Fn(ShardId) -> Option<NodeId>) -> Seen<'a> {
    Seen {
        me: A,
        control,
        reach,
        leader,
        control_voters: [A].into(),
        control_leader: Some(A),
        peers: Vec::new(),
        lost_replicas: BTreeMap::new(),
        own_losses: OwnLosses::default(),
        facts: BTreeMap::new(),
        clocks: ClockReport::default(),
        disk_used_percent: Some(50),
        unended: UnendedUse { memory: (0, 1_000), disk: (0, 2_000) },
        refused: Vec::new(),
    }
}

fn led(shard: ShardId) -> Option<NodeId> {
    Some(if shard.0 == 0 { B } else { A })
}

#[test]
fn what_is_nearly_used_up_is_told_before_it_is() {
    let (control, all, nobody) =
        (control(&[(A, "a"), (B, "b"), (C, "c")], &[A, B, C]), Reached(BTreeMap::new()), |_: ShardId| Some(A));
    let warned = |disk: u64, used: u64| {
        let unended = UnendedUse { memory: (used, 1_000), disk: (used, 2_000) };
        let seen = Seen { disk_used_percent: Some(disk), unended, ..seen(&control, &all, &nobody) };
        seen.cluster().warnings
    };
    assert_eq!(warned(89, 899), Vec::<String>::new());
    let disk = warned(90, 0);
    assert!(disk.len() == 1 && disk[0].contains("90 % full"), "{disk:?}");
    let memory = warned(0, 900);
    assert!(memory.len() == 1 && memory[0].contains("max_unended_mb"), "{memory:?}");
    let both = warned(0, 1_800);
    assert!(both.len() == 2 && both[1].contains("max_waiting_mb"), "{both:?}");
}

#[test]
fn members_and_shards_are_counted() {
    let mut control = control(&[(A, "attic"), (B, "barn"), (C, "cellar")], &[A, B, C]);
    control.table[1].target = Some(ReplicaSet { voters: vec![C], learners: Vec::new() });
    let everybody = Reached(BTreeMap::new());
    let seen = seen(&control, &everybody, &led);
    let cluster = seen.cluster();
    assert_eq!((cluster.shards, cluster.led, cluster.members, cluster.moves), (4, 4, 3, 1));
    assert_eq!(cluster.warnings, Vec::<String>::new());
    let members = seen.members();
    let told: Vec<_> = members.iter().map(|m| (m.name.as_str(), m.this, m.leads, m.replicas, m.votes)).collect();
    assert_eq!(told, [("attic", true, 3, 4, true), ("barn", false, 1, 4, false), ("cellar", false, 0, 4, false)]);
    let ring = seen.ring();
    assert_eq!(ring[0].leader.as_deref(), Some(B.to_string().as_str()));
    assert_eq!(ring[1].moving_to, [C.to_string()]);
}

#[test]
fn a_member_is_found_by_name_id_or_a_beginning() {
    let control = control(&[(A, "attic"), (B, "barn"), (C, "cellar")], &[A]);
    let everybody = Reached(BTreeMap::new());
    let seen = seen(&control, &everybody, &led);
    assert_eq!(seen.find("barn").unwrap().id, B);
    assert_eq!(seen.find(&C.to_string()).unwrap().id, C);
    assert_eq!(seen.find("AA").unwrap().id, A);
    assert!(seen.find("b").unwrap_err().contains("several"));
    for unknown in ["", "house"] {
        let error = seen.find(unknown).unwrap_err();
        assert!(error.contains("attic, barn, cellar"), "{error}");
    }
}

#[test]
fn a_leader_that_commits_nothing_is_told_of_while_it_answers() {
    let control = control(&[(A, "attic"), (B, "barn"), (C, "cellar")], &[A, B, C]);
    let everybody = Reached(BTreeMap::new());
    let facts: BTreeMap<_, _> = [(B, NodeFactsView { stuck_groups: 2, ..NodeFactsView::default() })].into();
    let warnings = Seen { facts: facts.clone(), ..seen(&control, &everybody, &led) }.cluster().warnings;
    assert!(warnings.len() == 1 && warnings[0].starts_with("barn leads 2 groups in which nothing"), "{warnings:?}");
    let down = Reached([(B, Reach::Down)].into());
    let warnings = Seen { facts, ..seen(&control, &down, &led) }.cluster().warnings;
    assert!(warnings.iter().all(|warning| !warning.contains("nothing is committed")), "{warnings:?}");
}

#[test]
fn two_members_are_told_what_a_loss_means() {
    let mut control = control(&[(A, "attic"), (B, "barn")], &[A]);
    control.table[3].current.voters = vec![B];
    let everybody = Reached(BTreeMap::new());
    let warnings = seen(&control, &everybody, &led).cluster().warnings;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    for part in ["2 members", "the loss of attic stops 3 shards", "the loss of barn stops 1 shard ", "cluster recover"]
    {
        assert!(warnings[0].contains(part), "'{part}' is missing: {}", warnings[0]);
    }
}

#[test]
fn a_member_that_came_back_with_less_than_it_had_is_told_of() {
    let control = control(&[(A, "attic"), (B, "barn"), (C, "cellar")], &[A, B, C]);
    let everybody = Reached(BTreeMap::new());
    let lost = Seen { lost_replicas: [(B, 3)].into(), ..seen(&control, &everybody, &led) };
    let warnings = lost.cluster().warnings;
    assert!(
        warnings.iter().any(|text| text.contains("barn came back with less than it had: 3 replicas")),
        "{warnings:?}"
    );
}

#[test]
fn a_node_that_came_back_with_less_than_it_had_says_so_itself_and_what_helps() {
    let control = control(&[(A, "attic"), (B, "barn"), (C, "cellar")], &[A, B, C]);
    let everybody = Reached(BTreeMap::new());
    let told = |own_losses: OwnLosses| {
        let seen = Seen { own_losses, ..seen(&control, &everybody, &led) };
        seen.cluster().warnings.into_iter().find(|text| text.contains("this node came back with less than it had"))
    };
    assert_eq!(told(OwnLosses::default()), None);
    let whole = told(OwnLosses { found: 2, ..OwnLosses::default() }).unwrap();
    assert!(whole.contains("count again"), "{whole}");
    let waiting = told(OwnLosses { found: 2, waiting: vec![0, 3], ..OwnLosses::default() }).unwrap();
    assert!(waiting.contains("let in again in 2 groups") && !waiting.contains("recover"), "{waiting}");
    let alone = told(OwnLosses { found: 1, waiting: vec![3], alone: vec![3] }).unwrap();
    for part in ["nobody else votes in 1 group ", "backup", "octopussy cluster recover"] {
        assert!(alone.contains(part), "'{part}' is missing: {alone}");
    }
}

#[test]
fn what_is_down_and_what_that_means_is_told() {
    let control = control(&[(A, "attic"), (B, "barn"), (C, "cellar")], &[A, B, C]);
    let nobody = |_: ShardId| None;
    let two_down = Reached([(B, Reach::Down), (C, Reach::Down)].into());
    let lost = Seen { control_leader: None, control_voters: [A, B, C].into(), ..seen(&control, &two_down, &nobody) };
    let warnings = lost.cluster().warnings;
    assert!(warnings[0].contains("control group"), "{warnings:?}");
    assert!(
        warnings[1].contains("shards 0, 1, 2, 3 have no leader") && warnings[1].contains("recover"),
        "{warnings:?}"
    );
    assert!(warnings[0].contains("a majority of its voters is down"), "{warnings:?}");
    assert_eq!(warnings[2], "barn has been down for 4 minutes", "nobody can be taken out now");
    let one_down = Reached([(B, Reach::Down)].into());
    let warnings = seen(&control, &one_down, &nobody).cluster().warnings;
    assert!(!warnings[0].contains("recover"), "a majority is there: {warnings:?}");
    assert!(warnings[1].contains("cluster leave barn --force"), "{warnings:?}");
}

#[test]
fn clocks_that_differ_are_told() {
    let control = control(&[(A, "attic"), (B, "barn"), (C, "cellar")], &[A, B, C]);
    let everybody = Reached(BTreeMap::new());
    let warnings = |clocks: ClockReport| Seen { clocks, ..seen(&control, &everybody, &led) }.cluster().warnings;
    let skewed = ClockReport { ahead: [(B, -1_500), (C, 900)].into(), own_ahead: Some(0), ..ClockReport::default() };
    assert_eq!(warnings(skewed), ["the clock of barn is 1.5 s behind this node's"]);
    let wrong = ClockReport { ahead: [(B, -7_200_000)].into(), own_ahead: Some(7_200_000), ..ClockReport::default() };
    let told = warnings(wrong);
    assert!(told.len() == 1 && told[0].contains("2 hours ahead of that of the other members"), "{told:?}");
    let disputed = ClockReport { ahead: [(B, 60_000)].into(), disputed: true, ..ClockReport::default() };
    let told = warnings(disputed);
    assert!(told[0].contains("no majority to tell which are right") && told[1].contains("ahead of"), "{told:?}");
    let leap = ClockReport { leap: Some(Duration::from_secs(7_200)), ..ClockReport::default() };
    assert!(warnings(leap)[0].contains("set by 2 hours while the node ran"));
}

/// A copy without a vote stands for no election and never hears of another leader.
#[test]
fn a_leader_that_is_down_leads_nothing() {
    let control = control(&[(A, "attic"), (B, "barn")], &[B]);
    let down = Reached([(B, Reach::Down)].into());
    let held = |_: ShardId| Some(B);
    let seen = Seen { control_leader: Some(B), control_voters: [B].into(), ..seen(&control, &down, &held) };
    let cluster = seen.cluster();
    assert_eq!(cluster.led, 0);
    assert!(cluster.warnings[0].contains("a majority of its voters is down"), "{:?}", cluster.warnings);
    assert!(
        cluster.warnings[1].contains("no leader; for 4 of them") && cluster.warnings[1].contains("cluster recover")
    );
    assert!(seen.ring().iter().all(|shard| shard.leader.is_none()));
    assert!(seen.members().iter().all(|member| member.leads == 0));
}

#[test]
fn draining_and_zones_are_told() {
    let mut control = control(&[(A, "attic"), (B, "barn"), (C, "cellar")], &[A, B, C]);
    for member in control.members.values_mut() {
        member.zone = Some("house".to_owned());
    }
    control.members.get_mut(&C).unwrap().desired = MemberDesired::Draining;
    let everybody = Reached(BTreeMap::new());
    let warnings = seen(&control, &everybody, &led).cluster().warnings;
    assert!(warnings.iter().any(|text| text.contains("cellar is being drained; 4 replicas")), "{warnings:?}");
    assert!(warnings.iter().any(|text| text.contains("4 shards are in one zone")), "{warnings:?}");
}

#[test]
fn a_copy_of_a_members_home_that_was_refused_is_warned_of_for_an_hour() {
    let control = control(&[(A, "attic"), (B, "barn"), (C, "cellar")], &[A, B, C]);
    let everybody = Reached(BTreeMap::new());
    let impostor = Impostor {
        node: B,
        address: "192.0.2.9:47210".parse().unwrap(),
        at: std::time::Instant::now(),
        reason: "its identity is in use elsewhere".into(),
    };
    let warnings = |ago| {
        let seen = Seen { refused: vec![(ago, impostor.clone())], ..seen(&control, &everybody, &led) };
        seen.cluster().warnings
    };
    let told = warnings(Duration::from_secs(180));
    assert_eq!(told.len(), 1);
    assert!(
        told[0].contains("barn") && told[0].contains("192.0.2.9:47210") && told[0].contains("in use"),
        "{}",
        told[0]
    );
    assert_eq!(warnings(Duration::from_secs(2 * 60 * 60)), Vec::<String>::new());
}
