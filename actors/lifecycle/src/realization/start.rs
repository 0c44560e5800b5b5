//! The way from a sealed registry to a running system.

use super::erased::{Initialized, Instantiated, Started};
use super::guard::{catch, panic_message};
use super::start_all_error::chain;
use super::system::stop_in_reverse;
use super::unit::{Failure, Unit};
use super::{Cause, Deadline, Host, PortTable, ShutdownReport, StartAllError, StartContext, System, stand_in};
use crate::essence::Phase;
use octopussy_core::capability::CapabilityId;
use octopussy_core::contract::{Contract, Criticality};
use octopussy_core::time::Clock;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How long a start that was given up may take to drop what it holds, before the others are stopped.
const DROP_LIMIT: Duration = Duration::from_secs(1);

/// A capability on its way, with the contract it was registered under.
type Registered = (&'static Contract, Box<dyn Instantiated>);

/// Starts capabilities one after another and remembers which have to be stopped when one fails.
pub(super) struct Starter {
    host: Host,
    table: PortTable,
    units: Vec<Unit>,
    failures: (mpsc::Sender<Failure>, mpsc::Receiver<Failure>),
}

impl Starter {
    pub(super) fn new(host: Host, mut table: PortTable, order: &[CapabilityId]) -> Self {
        table.insert::<dyn Clock>(host.clock.clone());
        host.board.begin(order);
        // Each unit fails at most once, so none ever finds the channel full.
        let failures = mpsc::channel(order.len().max(1));
        Self { host, table, units: Vec::with_capacity(order.len()), failures }
    }

    pub(super) async fn start_all(mut self, capabilities: Vec<Registered>) -> Result<System, StartAllError> {
        let mut prepared = Vec::with_capacity(capabilities.len());
        for (contract, instance) in capabilities {
            match self.initialize(contract, instance) {
                Ok(instance) => prepared.push((contract, instance)),
                Err(cause) => self.give_up(contract, Phase::Initialize, cause).await?,
            }
        }
        for (contract, instance) in prepared {
            if let Err((phase, cause)) = self.start(contract, instance).await {
                self.give_up(contract, phase, cause).await?;
            }
        }
        Ok(System::new(self.units, self.failures.1, self.host.board))
    }

    fn initialize(&self, contract: &Contract, instance: Box<dyn Instantiated>) -> Result<Box<dyn Initialized>, Cause> {
        let initialized = catch(|| instance.initialize()).map_err(Cause::Panicked)??;
        self.host.board.advance(contract.id, Phase::Initialize);
        Ok(initialized)
    }

    /// Phases three and four, and the beginning of five.
    async fn start(&mut self, contract: &Contract, instance: Box<dyn Initialized>) -> Result<(), (Phase, Cause)> {
        let id = contract.id;
        if self.host.interrupt.is_cancelled() {
            return Err((Phase::Inject, Cause::Interrupted));
        }
        let injected = instance.inject(&self.table).map_err(|missing| (Phase::Inject, missing.into()))?;
        self.host.board.advance(id, Phase::Inject);
        let stopping = CancellationToken::new();
        // Held until the capability serves: whatever it has begun ends when it does not.
        let undo = stopping.clone().drop_guard();
        let cx =
            StartContext { clock: self.host.clock.clone(), home: self.host.home.clone(), stopping: stopping.clone() };
        self.host.board.advance(id, Phase::Start);
        // A closure of the capability's own may panic before its future exists; inside the task it cannot harm us.
        let task = tokio::spawn(async move { injected.start(cx).await });
        let started = self.await_start(contract, task).await.map_err(|cause| (Phase::Start, cause))?;
        undo.disarm();
        started.provisions.publish(&mut self.table);
        self.host.board.advance(id, Phase::Runtime);
        let (board, failures) = (self.host.board.clone(), self.failures.0.clone());
        self.units.push(Unit::supervise(id, started.running, stopping, board, failures));
        tracing::info!(capability = %id, "started");
        Ok(())
    }

    async fn await_start(
        &self,
        contract: &Contract,
        mut task: tokio::task::JoinHandle<Result<Started, super::StartError>>,
    ) -> Result<Started, Cause> {
        let limit = match contract.id.entry().criticality {
            Criticality::Required => self.host.limits.start,
            Criticality::Sidecar => self.host.limits.sidecar_start,
        };
        let given_up = tokio::select! {
            biased;
            joined = &mut task => return match joined {
                Ok(started) => Ok(started?),
                Err(error) if error.is_panic() => Err(Cause::Panicked(panic_message(&*error.into_panic()))),
                Err(_) => Err(Cause::Interrupted),
            },
            () = self.host.interrupt.cancelled() => Cause::Interrupted,
            () = tokio::time::sleep(limit) => Cause::TimedOut(limit),
        };
        task.abort();
        if tokio::time::timeout(DROP_LIMIT, task).await.is_err() {
            tracing::error!(capability = %contract.id, "a start that was given up blocks its thread and was left behind");
        }
        Err(given_up)
    }

    /// Lets a sidecar's failure pass with a stand-in in its place; anything else stops what has started, in reverse order.
    async fn give_up(&mut self, contract: &Contract, phase: Phase, cause: Cause) -> Result<(), StartAllError> {
        let capability = contract.id;
        let interrupted = self.host.interrupt.is_cancelled();
        if contract.id.entry().criticality == Criticality::Sidecar && !interrupted {
            let cause = chain(&cause);
            tracing::error!(%capability, %phase, %cause, "a sidecar did not start; what it is given is dropped");
            self.host
                .board
                .fail(capability, format!("failed in its phase '{phase}', and what it is given is dropped: {cause}"));
            stand_in::install(contract.provides, &mut self.table);
            return Ok(());
        }
        self.host.board.fail(capability, chain(&cause));
        let unwound = self.unwind().await;
        Err(StartAllError { capability, phase, cause, unwound })
    }

    async fn unwind(&mut self) -> ShutdownReport {
        let board = &self.host.board;
        let units = std::mem::take(&mut self.units);
        let report = stop_in_reverse(units, Deadline::after(self.host.limits.unwind), board).await;
        for (id, phase, _) in board.phases() {
            if phase.may_become(Phase::Ended) && phase != Phase::Cleanup {
                board.advance(id, Phase::Ended);
            }
        }
        report
    }
}
