//! Membership in virtual time: how soon a cluster that starts knows itself, how soon one more node and one less are known
//! everywhere, what it costs in bytes, and whether anybody is declared dead because packets are lost.
//!
//! The pure protocol runs on a simulated network with 0.2 to 5 ms latency; the figures do not depend on the machine. Beside
//! them stand the goals of the design. The times of a real cluster add its handshakes, which are simulated as one and a half
//! round trips.
//!
//! `gossip [--seeds 20] [--minutes 10] [--json FILE]`

use anyhow::{Context, Result};
use octopussy_benches::{Arguments, Report};
use octopussy_membership::Settings;
use octopussy_membership::simulation::{NetworkSettings, Simulation};
use std::time::Duration;

/// How long anything may take before it counts as never.
const LIMIT: Duration = Duration::from_secs(120);

/// What the design wants of a cluster of a size.
struct Goal {
    nodes: usize,
    join: f64,
    death: f64,
}

const GOALS: [Goal; 2] = [Goal { nodes: 10, join: 1.0, death: 3.0 }, Goal { nodes: 100, join: 3.0, death: 5.0 }];

/// The goal for what a node sends when nothing happens, in bytes a second.
const BYTES: f64 = 1_000.0;

fn main() -> Result<()> {
    let arguments = Arguments::parse(&["seeds", "minutes", "json"])?;
    let (seeds, minutes) = (arguments.number("seeds", 20)?, arguments.number("minutes", 10)?);
    let report = Report::new("gossip", arguments.text("json"));
    report.note("serf with its defaults, measured on 10 nodes: join 0.4 s, death first seen at 5.6 s")?;
    for goal in &GOALS {
        for loss in [0.0, 0.05] {
            report.note(&format!("{} nodes, {} % of packets lost", goal.nodes, loss * 100.0))?;
            times(&report, goal, loss, seeds)?;
        }
        steady(&report, goal.nodes, minutes)?;
    }
    Ok(())
}

/// Starting together, one more, one less: under several seeds.
fn times(report: &Report, goal: &Goal, loss: f64, seeds: u64) -> Result<()> {
    let (mut together, mut join, mut death) = (Vec::new(), Vec::new(), Vec::new());
    for seed in 0..seeds {
        let mut sim = cluster(goal.nodes, loss, seed);
        let last = goal.nodes - 1;
        (0..last).for_each(|node| sim.start(node, &[0]));
        let known = sim.run_until(LIMIT, Simulation::is_converged);
        together.push(known.context("the nodes never knew each other")?.as_secs_f64());
        sim.run_for(Duration::from_secs(30));
        sim.start(last, &[1]);
        let known = sim.run_until(LIMIT, Simulation::is_converged);
        join.push(known.context("the last node was never known")?.as_secs_f64());
        sim.run_for(Duration::from_secs(30));
        sim.crash(last / 2);
        let known = sim.run_until(LIMIT, |sim| sim.is_down_everywhere(last / 2));
        death.push(known.context("the death was never known")?.as_secs_f64());
    }
    row(report, "all start together, known everywhere [s]", &mut together, goal.join)?;
    row(report, "one more joins, known everywhere [s]", &mut join, goal.join)?;
    row(report, "one is killed, known everywhere [s]", &mut death, goal.death)
}

/// Nothing happens but lost packets.
fn steady(report: &Report, nodes: usize, minutes: u64) -> Result<()> {
    for loss in [0.0, 0.05] {
        let mut sim = cluster(nodes, loss, 0);
        sim.start_all();
        sim.run_until(LIMIT, Simulation::is_converged).context("the nodes never knew each other")?;
        let joined = sim.sent_bytes() as f64 / nodes as f64;
        sim.run_for(Duration::from_secs(60));
        let (before, time) = (sim.sent_bytes(), Duration::from_secs(60 * minutes));
        sim.run_for(time);
        let bytes = (sim.sent_bytes() - before) as f64 / nodes as f64 / time.as_secs_f64();
        let false_deaths = sim.deaths().iter().filter(|death| death.alive).count();
        report.row(
            &format!("{nodes} nodes, {minutes} minutes, {} % lost", loss * 100.0),
            &[
                ("bytes_per_second_per_node", bytes),
                ("goal_bytes", BYTES),
                ("false_deaths", false_deaths as f64),
                ("goal_deaths", 0.0),
                ("renewed_identities", sim.renewals() as f64),
                ("bytes_per_node_to_start", joined),
            ],
        )?;
    }
    Ok(())
}

fn cluster(nodes: usize, loss: f64, seed: u64) -> Simulation {
    let network = NetworkSettings { loss, ..NetworkSettings::default() };
    Simulation::new(nodes, Settings::standard(), network, seed)
}

fn row(report: &Report, what: &str, times: &mut [f64], goal: f64) -> Result<()> {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times.get(((times.len() - 1) as f64 * share) as usize).copied().unwrap_or(f64::NAN);
    report.row(what, &[("p50", at(0.5)), ("p90", at(0.9)), ("max", at(1.0)), ("goal", goal)])?;
    Ok(())
}
