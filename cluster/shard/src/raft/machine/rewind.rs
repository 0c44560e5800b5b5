//! Takes back what was left half done.

use super::group_record::GroupRecord;
use super::host::StateHost;
use super::keys;
use super::opening;
use super::records;
use super::shard_cell::{ShardCell, ShardState};
use super::shared::Shared;
use crate::error::{OpenError, cold_error};
use crate::raft::GroupId;
use octopussy_ledger::ColdError;
use octopussy_store::Keyspace;
use std::sync::Arc;

impl StateHost {
    /// Takes back an entry of which only a part was applied, because whoever applied it has ended: the shard is as it is
    /// stored then, and the log is to be applied from there. What is whole stays as it is. No Raft may use the group meanwhile.
    ///
    /// # Errors
    /// [`OpenError`]; nothing is changed.
    pub(crate) async fn rewind(&self, group: GroupId) -> Result<(), OpenError> {
        let Some(cell) = group.shard().and_then(|shard| self.shared.cell(shard)) else { return Ok(()) };
        if cell.state.read().within_entry.is_none() {
            return Ok(());
        }
        // After it nothing of the shard is on its way into the store.
        self.shared.signal.flush().await.map_err(|_| OpenError::Late("storing what is applied"))?;
        let shared = Arc::clone(&self.shared);
        let rewound = tokio::task::spawn_blocking(move || restore(&shared, &cell));
        let rewound = rewound.await.map_err(|_| OpenError::Late("reading what is stored"))?;
        rewound.map_err(|error| OpenError::Record { path: self.shared.config.dir.clone(), detail: error.0.to_string() })
    }
}

/// Puts what is stored in the place of what is in memory.
fn restore(shared: &Shared, cell: &ShardCell) -> Result<(), ColdError> {
    let key = keys::group(GroupId::of(cell.shard));
    let record = shared.store.read(|snapshot| {
        let row = snapshot.get(Keyspace::Meta, &key).map_err(|error| cold_error(&error))?;
        row.map(|row| records::decode::<GroupRecord>("a group", &row)).transpose()
    })?;
    let stored = match record {
        Some(record) => {
            let slot = record.slot(cell.shard);
            ShardState::stored(slot, opening::machine(slot, &record, &shared.store)?, &record)
        }
        None => ShardState::empty(cell.state.read().slot),
    };
    let mut state = cell.state.write();
    // Of an entry that was not finished, nothing was counted.
    let counted = state.within_entry.unwrap_or(state.active.bytes);
    *state = stored;
    drop(state);
    shared.signal.subtract(counted);
    Ok(())
}
