//! Where every capability's phase can be read, before, while and after the system runs.

use crate::essence::Phase;
use octopussy_core::capability::CapabilityId;
use octopussy_core::ports::CapabilityView;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

#[derive(Debug, Clone)]
struct Row {
    id: CapabilityId,
    phase: Phase,
    detail: Option<String>,
}

/// The phases of all capabilities, in start order. The host makes it, hands it in, and may give it to others before the start;
/// it is written only by the lifecycle. Reading takes a lock for the time of a copy.
#[derive(Debug, Default)]
pub struct StatusBoard {
    rows: RwLock<Vec<Row>>,
}

impl StatusBoard {
    /// An empty board; the start fills it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every capability with its phase and what is wrong, when something is.
    #[must_use]
    pub fn phases(&self) -> Vec<(CapabilityId, Phase, Option<String>)> {
        self.read().iter().map(|row| (row.id, row.phase, row.detail.clone())).collect()
    }

    /// The same in the words of the ports.
    #[must_use]
    pub fn views(&self) -> Vec<CapabilityView> {
        let view = |row: &Row| CapabilityView { id: row.id, state: row.phase.name(), detail: row.detail.clone() };
        self.read().iter().map(view).collect()
    }

    /// The phase of one capability; `None` when it is not registered.
    #[must_use]
    pub fn phase(&self, id: CapabilityId) -> Option<Phase> {
        self.read().iter().find(|row| row.id == id).map(|row| row.phase)
    }

    /// Whether everything that others depend on serves. A sidecar may be missing.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.waits_for().is_none() && !self.read().is_empty()
    }

    /// The first capability that does not serve although others depend on it, with its phase.
    #[must_use]
    pub fn waits_for(&self) -> Option<(CapabilityId, Phase)> {
        use octopussy_core::contract::Criticality;
        let missing = |row: &&Row| row.phase != Phase::Runtime && row.id.entry().criticality == Criticality::Required;
        self.read().iter().find(missing).map(|row| (row.id, row.phase))
    }

    pub(super) fn begin(&self, order: &[CapabilityId]) {
        *self.write() = order.iter().map(|id| Row { id: *id, phase: Phase::Instantiate, detail: None }).collect();
    }

    pub(super) fn advance(&self, id: CapabilityId, phase: Phase) {
        self.set(id, phase, None);
    }

    pub(super) fn fail(&self, id: CapabilityId, detail: String) {
        self.set(id, Phase::Failed, Some(detail));
    }

    /// Adds what is wrong without changing the phase.
    pub(super) fn note(&self, id: CapabilityId, detail: String) {
        if let Some(row) = self.write().iter_mut().find(|row| row.id == id) {
            row.detail = Some(detail);
        }
    }

    fn set(&self, id: CapabilityId, phase: Phase, detail: Option<String>) {
        if let Some(row) = self.write().iter_mut().find(|row| row.id == id) {
            debug_assert!(row.phase.may_become(phase), "{id} goes from {} to {phase}", row.phase);
            row.phase = phase;
            if detail.is_some() {
                row.detail = detail;
            }
        }
    }

    // A panic between two fields of a row cannot happen, so a poisoned lock still guards sound rows.
    fn read(&self) -> RwLockReadGuard<'_, Vec<Row>> {
        self.rows.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Vec<Row>> {
        self.rows.write().unwrap_or_else(PoisonError::into_inner)
    }
}
