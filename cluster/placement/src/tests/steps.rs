//! What is decided in given situations, rule by rule.

use super::support::{
    ME, SHARD, Seen, cluster, decided, decided_at, desire, join, led, member, moves, node, nodes, set, set_members,
    settled, target,
};
use crate::{Action, Group, GroupView, Limits, Situation, outstanding};
use octopussy_control::{ControlCommand, ControlState, ReplicaSet};
use octopussy_core::ids::ShardId;
use octopussy_core::ports::{MemberDesired, MemberRole};
use octopussy_core::time::Timestamp;
use std::time::Duration;

const GRACE: u64 = 5 * 60;

#[test]
fn a_cluster_of_one_has_nothing_to_do() {
    let control = cluster(1, &[set(&[1], &[])]);
    for group in [Group::Control, SHARD] {
        assert_eq!(decided(&control, &led(group, &[1], &[]), &Seen::default()), []);
    }
}

#[test]
fn a_second_node_becomes_a_learner_and_a_third_makes_three_voters_a_few_shards_at_a_time() {
    let places = vec![set(&[1], &[]); 8];
    for (members, voters, learners) in [(2, 1, 1), (3, 3, 0)] {
        let control = cluster(members, &places);
        let view =
            led(Group::Control, if members == 2 { &[1] } else { &[1, 2, 3] }, if members == 2 { &[2] } else { &[] });
        let moves = moves(&decided(&control, &view, &Seen::default()));
        assert_eq!(moves.len(), Limits::default().max_moves);
        let (now, reach, limits) = (Timestamp::EPOCH, &Seen::default(), Limits::default());
        let all = outstanding(&Situation { control: &control, me: node(ME), groups: &[], reach, limits, now });
        assert_eq!(all, places.len());
        for (_, place) in moves {
            assert_eq!((place.voters.len(), place.learners.len()), (voters, learners));
        }
    }
}

#[test]
fn nothing_is_done_by_followers_or_while_something_is_under_way() {
    let control = cluster(3, &[set(&[1], &[])]);
    let idle = led(Group::Control, &[1], &[2]);
    assert!(!decided(&control, &idle, &Seen::default()).is_empty());
    let follower = GroupView { leader: Some(node(2)), ..idle.clone() };
    let busy = GroupView { busy: true, ..idle.clone() };
    let mut changing = idle;
    changing.membership.committed = false;
    for view in [follower, busy, changing] {
        assert_eq!(decided(&control, &view, &Seen::default()), []);
    }
}

#[test]
fn a_move_goes_step_by_step() {
    let mut control = cluster(3, &[set(&[1], &[])]);
    target(&mut control, set(&[1, 2, 3], &[]));
    let seen = Seen::default();
    let alone = led(SHARD, &[1], &[]);
    assert_eq!(decided(&control, &alone, &seen), [Action::AddLearner { group: SHARD, node: node(2) }]);
    // A node that does not answer is not waited for while there is another one to begin with.
    let third = decided(&control, &alone, &Seen::default().down(2, 10));
    assert_eq!(third, [Action::AddLearner { group: SHARD, node: node(3) }]);
    let mut copying = led(SHARD, &[1], &[2, 3]);
    copying.matched.insert(node(3), 10_000 - Limits::default().caught_up - 1);
    assert_eq!(decided(&control, &copying, &seen), []);
    copying.matched.insert(node(3), 10_000 - Limits::default().caught_up);
    assert_eq!(decided(&control, &copying, &seen), set_members(SHARD, &[1, 2, 3], &[]));
    assert_eq!(decided(&control, &copying, &seen.clone().down(3, 1)), [], "whoever is down gets no vote");
    let there = led(SHARD, &[1, 2, 3], &[]);
    let settle = settled(&control, ShardId(0), set(&[1, 2, 3], &[]));
    assert_eq!(decided(&control, &there, &seen), [Action::Propose(settle.clone())]);
    control.apply(settle).unwrap();
    assert_eq!(decided(&control, &there, &seen), []);
}

#[test]
fn a_replica_that_has_lost_what_it_had_is_sent_away_and_let_in_again() {
    let seen = Seen::default();
    let control = cluster(3, &[set(&[1, 2, 3], &[])]);
    for group in [Group::Control, SHARD] {
        let mut view = led(group, &[1, 2, 3], &[]);
        view.lost = nodes(&[3]);
        assert_eq!(decided(&control, &view, &seen), set_members(group, &[1, 2], &[]));
        // Without the other one nothing can be committed: it is waited for.
        assert_eq!(decided(&control, &view, &seen.clone().down(2, 1)), []);
        let without = led(group, &[1, 2], &[]);
        assert_eq!(decided(&control, &without, &seen), [Action::AddLearner { group, node: node(3) }]);
        let mut behind = led(group, &[1, 2], &[3]);
        behind.matched.insert(node(3), 0);
        assert_eq!(decided(&control, &behind, &seen), [], "it gets no vote before it has everything");
        assert_eq!(decided(&control, &led(group, &[1, 2], &[3]), &seen), set_members(group, &[1, 2, 3], &[]));
    }
    let mut follows = led(SHARD, &[1], &[2, 3]);
    follows.lost = nodes(&[2]);
    assert_eq!(decided(&control, &follows, &seen), set_members(SHARD, &[1], &[3]));
}

#[test]
fn a_drain_that_is_taken_back_ends_the_moves_it_began() {
    let mut control = cluster(3, &[set(&[1, 2, 3], &[])]);
    let view = led(Group::Control, &[1, 2, 3], &[]);
    control.apply(desire(3, MemberDesired::Draining)).unwrap();
    let planned = moves(&plan_of(&control, &view));
    assert_eq!(planned.iter().map(|(_, place)| place.nodes().count()).collect::<Vec<_>>(), [2]);
    target(&mut control, planned[0].1.clone());
    assert_eq!(plan_of(&control, &view), [], "it stands while the drain does");
    control.apply(desire(3, MemberDesired::Active)).unwrap();
    let planned = moves(&plan_of(&control, &view));
    assert_eq!(planned, [(ShardId(0), set(&[1, 2, 3], &[]))]);
    target(&mut control, planned[0].1.clone());
    assert_eq!(control.place(ShardId(0)).unwrap().target, None, "it stays where it is");
    assert_eq!(plan_of(&control, &view), []);
}

/// What is proposed for the cluster, without what is done to the control group.
fn plan_of(control: &ControlState, view: &GroupView) -> Vec<Action> {
    let is_plan = |action: &Action| matches!(action, Action::Propose(ControlCommand::Plan { .. }));
    decided(control, view, &Seen::default()).into_iter().filter(is_plan).collect()
}

#[test]
fn a_joint_configuration_that_was_left_behind_is_finished() {
    let mut control = cluster(4, &[set(&[1, 2, 3], &[])]);
    target(&mut control, set(&[1, 2, 4], &[]));
    let mut view = led(SHARD, &[1, 2, 3], &[]);
    view.membership.configs.push(nodes(&[1, 2, 4]));
    assert_eq!(decided(&control, &view, &Seen::default()), set_members(SHARD, &[1, 2, 4], &[]));
    let stuck = Seen::default().down(2, 1).down(4, 1);
    assert_eq!(decided(&control, &view, &stuck), [], "the newer half has no majority");
}

#[test]
fn a_lone_voter_hands_over_before_it_loses_its_vote() {
    let mut control = cluster(2, &[set(&[1], &[2])]);
    target(&mut control, set(&[2], &[1]));
    let seen = Seen::default();
    assert_eq!(decided(&control, &led(SHARD, &[1], &[2]), &seen), set_members(SHARD, &[1, 2], &[]));
    let transfer = [Action::Transfer { group: SHARD, to: node(2) }];
    assert_eq!(decided(&control, &led(SHARD, &[1, 2], &[]), &seen), transfer);
}

#[test]
fn the_preferred_leader_leads_once_it_is_fit_and_the_leadership_has_rested() {
    let control = cluster(3, &[set(&[2, 1, 3], &[])]);
    let view = led(SHARD, &[1, 2, 3], &[]);
    let transfer = [Action::Transfer { group: SHARD, to: node(2) }];
    assert_eq!(decided(&control, &view, &Seen::default()), transfer);
    assert_eq!(decided(&control, &view, &Seen::default().down(2, 1)), []);
    let fresh = GroupView { rested: Some(Duration::from_secs(2)), ..view.clone() };
    assert_eq!(decided(&control, &fresh, &Seen::default()), []);
    let mut behind = view;
    behind.matched.insert(node(2), 10);
    assert_eq!(decided(&control, &behind, &Seen::default()), []);
}

#[test]
fn a_draining_node_gives_its_leaderships_away_first() {
    let mut control = cluster(4, &[set(&[1, 2, 3], &[])]);
    control.apply(desire(1, MemberDesired::Draining)).unwrap();
    target(&mut control, set(&[2, 3, 4], &[]));
    let transfer = [Action::Transfer { group: SHARD, to: node(2) }];
    assert_eq!(decided(&control, &led(SHARD, &[1, 2, 3], &[]), &Seen::default()), transfer);
    let view = led(Group::Control, &[1, 2, 3], &[4]);
    let transfer = Action::Transfer { group: Group::Control, to: node(2) };
    assert!(decided(&control, &view, &Seen::default()).contains(&transfer));
}

#[test]
fn a_vanished_node_keeps_its_replicas_until_the_grace_time_is_over() {
    let control = cluster(4, &[set(&[1, 2, 3], &[])]);
    let view = led(Group::Control, &[1, 2, 4], &[3]);
    assert_eq!(decided(&control, &view, &Seen::default().down(3, GRACE - 1)), []);
    let planned = moves(&decided(&control, &view, &Seen::default().down(3, GRACE)));
    assert_eq!(planned.len(), 1);
    let voters: std::collections::BTreeSet<_> = planned[0].1.voters.iter().copied().collect();
    assert_eq!(voters, nodes(&[1, 2, 4]));
}

#[test]
fn a_dead_node_that_nobody_can_replace_stays_until_it_is_sent_away() {
    let mut control = cluster(3, &[set(&[1, 2, 3], &[])]);
    let dead = Seen::default().down(3, GRACE);
    assert_eq!(decided(&control, &led(Group::Control, &[1, 2, 3], &[]), &dead), []);
    control.apply(desire(3, MemberDesired::Leaving)).unwrap();
    let actions = decided(&control, &led(Group::Control, &[1, 2, 3], &[]), &dead);
    let [group, plan] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(std::slice::from_ref(group), set_members(Group::Control, &[1], &[2, 3]));
    let place = moves(std::slice::from_ref(plan))[0].1.clone();
    assert_eq!((place.voters.len(), place.learners.len()), (1, 1));
    assert!(!place.names(node(3)));
}

#[test]
fn a_shard_that_has_lost_its_majority_takes_nobodys_turn() {
    let mut control = cluster(4, &[set(&[2, 3, 4], &[])]);
    target(&mut control, set(&[1, 2, 3], &[]));
    let lost = Seen::default().down(2, GRACE).down(3, GRACE);
    let planned = moves(&decided(&control, &led(Group::Control, &[1], &[2, 3, 4]), &lost));
    assert_eq!(planned, [(ShardId(0), set(&[2, 3, 4], &[]))], "its target is taken back");
}

#[test]
fn a_target_that_cannot_be_reached_is_replaced() {
    let mut control = cluster(4, &[set(&[1, 2, 3], &[])]);
    target(&mut control, set(&[1, 2, 4], &[]));
    let view = led(Group::Control, &[1, 2, 3], &[4]);
    assert_eq!(decided(&control, &view, &Seen::default().down(4, 29)), []);
    let planned = moves(&decided(&control, &view, &Seen::default().down(4, 30)));
    assert_eq!(planned, [(ShardId(0), set(&[1, 2, 3], &[]))]);
}

#[test]
fn whoever_was_a_target_is_remembered_until_the_leader_reports() {
    let mut control = cluster(4, &[set(&[1, 2, 3], &[])]);
    target(&mut control, set(&[1, 2, 4], &[]));
    target(&mut control, set(&[1, 2, 3], &[]));
    let report = settled(&control, ShardId(0), set(&[1, 2, 3], &[]));
    let view = led(SHARD, &[1, 2, 3], &[]);
    assert_eq!(decided(&control, &view, &Seen::default()), [Action::Propose(report.clone())]);
    control.apply(report).unwrap();
    assert_eq!(decided(&control, &view, &Seen::default()), []);
}

#[test]
fn a_group_that_came_to_a_target_that_was_replaced_says_so_first() {
    let mut control = cluster(5, &[set(&[1, 2, 3], &[])]);
    target(&mut control, set(&[1, 2, 4], &[]));
    target(&mut control, set(&[1, 2, 5], &[]));
    let report = settled(&control, ShardId(0), set(&[1, 2, 4], &[]));
    assert_eq!(decided(&control, &led(SHARD, &[1, 2, 4], &[]), &Seen::default()), [Action::Propose(report)]);
}

#[test]
fn whoever_leaves_is_removed_when_nothing_is_on_it() {
    let mut control = cluster(2, &[set(&[1], &[2])]);
    control.apply(desire(2, MemberDesired::Leaving)).unwrap();
    let follows = led(Group::Control, &[1], &[2]);
    assert_eq!(moves(&decided(&control, &follows, &Seen::default())), [(ShardId(0), set(&[1], &[]))]);
    target(&mut control, set(&[1], &[]));
    assert_eq!(decided(&control, &follows, &Seen::default()), []);
    let settle = settled(&control, ShardId(0), set(&[1], &[]));
    control.apply(settle).unwrap();
    assert_eq!(decided(&control, &follows, &Seen::default()), set_members(Group::Control, &[1], &[]));
    let actions = decided(&control, &led(Group::Control, &[1], &[]), &Seen::default());
    let now = Timestamp::from_millis(1_000);
    assert_eq!(actions, [Action::Propose(ControlCommand::Remove { node: node(2), now })]);
}

#[test]
fn a_guest_follows_the_control_group_and_nothing_else() {
    let mut control = cluster(1, &[set(&[1], &[])]);
    let mut guest = member(2);
    guest.role = MemberRole::Guest;
    control.apply(join(guest, Timestamp::EPOCH)).unwrap();
    let alone = led(Group::Control, &[1], &[]);
    assert_eq!(
        decided(&control, &alone, &Seen::default()),
        [Action::AddLearner { group: Group::Control, node: node(2) }]
    );
    assert_eq!(decided(&control, &led(Group::Control, &[1], &[2]), &Seen::default()), []);
}

#[test]
fn the_control_group_grows_and_replaces_the_dead_but_not_the_absent() {
    let control = cluster(4, &[set(&[1], &[])]);
    let first = |view: &GroupView, seen: &Seen| {
        decided(&control, view, seen).into_iter().find(|action| match action {
            Action::SetMembers { .. } | Action::AddLearner { .. } | Action::Transfer { .. } => true,
            Action::Propose(_) => false,
        })
    };
    let grown = first(&led(Group::Control, &[1], &[2, 3, 4]), &Seen::default());
    assert_eq!(grown, set_members(Group::Control, &[1, 2, 3], &[4]).pop());
    let three = led(Group::Control, &[1, 2, 3], &[4]);
    assert_eq!(first(&three, &Seen::default().down(3, GRACE - 1)), None);
    assert_eq!(first(&three, &Seen::default().down(3, GRACE)), set_members(Group::Control, &[1, 2, 4], &[3]).pop());
    assert_eq!(first(&three, &Seen::default().down(3, GRACE).down(4, 1)), None, "nobody could take its place");
}

#[test]
fn time_is_told_when_a_token_can_be_forgotten() {
    use octopussy_control::{JoinToken, TokenMaker};
    use octopussy_core::ports::TokenUse;
    let mut control = cluster(1, &[set(&[1], &[])]);
    let digest = [7; 32];
    let now = Timestamp::EPOCH;
    let token = JoinToken {
        digest,
        uses: TokenUse::Single,
        expires_at: Timestamp::from_millis(500),
        used_by: Vec::new(),
        role: MemberRole::Full,
        made_by: TokenMaker { node: node(1), principal: "admin".to_owned(), at: now },
    };
    control.apply(ControlCommand::AddToken { id: JoinToken::id_of(&digest), token, now }).unwrap();
    let view = led(Group::Control, &[1], &[]);
    let day = 24 * 60 * 60 * 1_000;
    assert_eq!(decided_at(&control, &view, &Seen::default(), day + 499), []);
    let now = Timestamp::from_millis(day + 500);
    let tick = ControlCommand::Tick { now };
    assert_eq!(decided_at(&control, &view, &Seen::default(), day + 500), [Action::Propose(tick.clone())]);
    control.apply(tick).unwrap();
    assert_eq!(decided_at(&control, &view, &Seen::default(), day + 500), []);
}

#[test]
fn preferred_leaders_are_spread_by_weight() {
    let mut control = cluster(3, &vec![set(&[1, 2, 3], &[]); 16]);
    let report = |capacity| ControlCommand::Report {
        node: node(3),
        addresses: Vec::new(),
        capacity,
        zone: None,
        versions: member(3).versions,
        now: Timestamp::EPOCH,
    };
    control.apply(report(2)).unwrap();
    let view = led(Group::Control, &[1, 2, 3], &[]);
    for _ in 0..16 {
        let actions = decided(&control, &view, &Seen::default());
        if actions.is_empty() {
            break;
        }
        for (shard, place) in moves(&actions) {
            target_and_settle(&mut control, shard, place);
        }
    }
    let heads = |number| control.table.iter().filter(|place| place.current.voters[0] == node(number)).count();
    assert_eq!([heads(1), heads(2), heads(3)], [4, 4, 8]);
}

fn target_and_settle(control: &mut ControlState, shard: ShardId, place: ReplicaSet) {
    let table_version = control.table_version;
    control.apply(ControlCommand::Plan { table_version, moves: vec![(shard, place.clone())] }).unwrap();
    let settle = settled(control, shard, place);
    control.apply(settle).unwrap();
}
