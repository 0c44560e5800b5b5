//! How commands lie in the log: one record for all that were written together, keyed by the index of the first.

use octopussy_core::codec;
use octopussy_core::ids::ShardId;
use octopussy_core::task::Command;
use octopussy_ledger::ColdError;

/// The version of the layout: `version (shard u16, length u32, command)*`, numbers big-endian.
const VERSION: u8 = 1;

/// What an entry takes besides its command.
const HEADER_BYTES: usize = 6;

/// A record of the log in the making.
pub(crate) struct LogBatch {
    bytes: Vec<u8>,
}

impl LogBatch {
    /// An empty record with room for commands of `bytes` altogether.
    pub(crate) fn with_capacity(entries: usize, bytes: usize) -> Self {
        let mut record = Vec::with_capacity(1 + entries * HEADER_BYTES + bytes);
        record.push(VERSION);
        Self { bytes: record }
    }

    pub(crate) fn push(&mut self, shard: ShardId, encoded: &[u8]) {
        // A command is bounded by its message, far below four gigabytes.
        let length = u32::try_from(encoded.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(&shard.0.to_be_bytes());
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(encoded);
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Reads a record of the log.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<(ShardId, Command)>, ColdError> {
    let (version, mut rest) = bytes.split_first().ok_or_else(|| damaged("it is empty"))?;
    if *version > VERSION {
        return Err(ColdError(
            format!("the log has format version {version}, this build reads up to {VERSION}: upgrade this node").into(),
        ));
    }
    let mut commands = Vec::new();
    while !rest.is_empty() {
        let (shard, after) = rest.split_first_chunk::<2>().ok_or_else(|| damaged("an entry is cut off"))?;
        let (length, after) = after.split_first_chunk::<4>().ok_or_else(|| damaged("an entry is cut off"))?;
        let length = u32::from_be_bytes(*length) as usize;
        let (command, after) = after.split_at_checked(length).ok_or_else(|| damaged("an entry is cut off"))?;
        let command = codec::decode(command).map_err(|error| damaged(&error.to_string()))?;
        commands.push((ShardId(u16::from_be_bytes(*shard)), command));
        rest = after;
    }
    Ok(commands)
}

fn damaged(detail: &str) -> ColdError {
    ColdError(format!("a record of the log cannot be read: {detail}").into())
}
