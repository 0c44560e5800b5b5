//! The audit chain: each record is one line that ends with a keyed hash (HMAC-SHA-256) of everything before its hash, and everything before
//! it includes the hash of the record before. Changing, removing or inserting a line breaks every line after it, and whoever does not have
//! the node's key cannot mend that.
//!
//! What the chain cannot show is a cut at the end; whoever needs that keeps the last hash elsewhere. Nor does it bind those who can read the
//! node's key.

use hmac::{Hmac, KeyInit, Mac};
use octopussy_core::ports::AuditEvent;
use octopussy_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The purpose for which the key of the chain is derived.
pub const CHAIN_PURPOSE: &str = "audit chain";

/// The key of a chain.
#[derive(Clone)]
pub struct ChainKey(Zeroizing<[u8; 32]>);

impl ChainKey {
    /// The key with these bytes.
    #[must_use]
    pub const fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    fn hash(&self, text: &str) -> String {
        // HMAC takes a key of any length; the error type exists for fixed-length MACs.
        let mut mac: Hmac<Sha256> = Hmac::new_from_slice(&*self.0).expect("HMAC accepts a 32-byte key");
        mac.update(text.as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }
}

/// What the first record names as its predecessor's hash.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

const HASH_KEY: &str = ",\"hash\":\"";

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditBody {
    /// A security event.
    Event(AuditEvent),
    /// So many events came faster than they could be written and are not here.
    Gap {
        /// How many.
        lost: u64,
    },
    /// The node ended in the middle of writing a record; its bytes were moved to another file.
    Recovered {
        /// How many bytes.
        bytes: u64,
        /// The file they are in now.
        moved_to: String,
    },
    /// The log had grown to its bound: the records before this one are in another file.
    Rotated {
        /// The file they are in now.
        moved_to: String,
        /// Files that were removed, because there were too many. The first record that is left names the hash of the last
        /// one that went.
        removed: Vec<String>,
    },
}

#[derive(Serialize)]
struct RecordHead<'a> {
    seq: u64,
    at: u64,
    prev: &'a str,
    #[serde(flatten)]
    body: &'a AuditBody,
}

#[derive(Deserialize)]
struct RecordLinks {
    seq: u64,
    prev: String,
}

/// Why a line does not continue the chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainBreak {
    /// It is not a record.
    #[error("it is not an audit record")]
    Malformed,
    /// Its hash does not fit its text.
    #[error("its text was changed after it was written, or another node's key has written it")]
    Changed,
    /// Its hash fits its text, and was made without the key.
    #[error("the chain was rebuilt without the node's key, from here on at the latest")]
    Rebuilt,
    /// It does not follow the line before.
    #[error("it does not follow the record before it: records were removed, inserted or reordered")]
    Unlinked,
}

/// The end of a chain: what the next record has to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainState {
    next_seq: u64,
    last_hash: String,
}

impl Default for ChainState {
    fn default() -> Self {
        Self { next_seq: 1, last_hash: GENESIS.to_owned() }
    }
}

impl ChainState {
    /// How many records the chain has.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.next_seq - 1
    }

    /// The hash of the last record.
    #[must_use]
    pub fn last_hash(&self) -> &str {
        &self.last_hash
    }

    /// The next record as a line without its line break; the state moves on.
    #[must_use]
    pub fn append(&mut self, key: &ChainKey, at: Timestamp, body: &AuditBody) -> String {
        let head = RecordHead { seq: self.next_seq, at: at.as_millis(), prev: &self.last_hash, body };
        // Serializing plain structs of strings and numbers cannot fail.
        let mut line = serde_json::to_string(&head).unwrap_or_default();
        line.pop();
        let hash = key.hash(&line);
        line.push_str(HASH_KEY);
        line.push_str(&hash);
        line.push_str("\"}");
        self.next_seq += 1;
        self.last_hash = hash;
        line
    }

    /// Checks that `line` continues the chain; the state moves on only when it does.
    ///
    /// # Errors
    /// [`ChainBreak`].
    pub fn follow(&mut self, key: &ChainKey, line: &str) -> Result<(), ChainBreak> {
        let hash = read_hash(key, line)?;
        let links: RecordLinks = serde_json::from_str(line).map_err(|_| ChainBreak::Malformed)?;
        if links.seq != self.next_seq || links.prev != self.last_hash {
            return Err(ChainBreak::Unlinked);
        }
        self.next_seq += 1;
        self.last_hash = hash;
        Ok(())
    }

    /// The state before `line`, which is taken to be the first that is left of a chain. Only the very first record of a chain
    /// may follow nothing.
    ///
    /// # Errors
    /// [`ChainBreak`] when the line is no record, or says of itself what no record can.
    pub fn before(line: &str) -> Result<Self, ChainBreak> {
        let links: RecordLinks = serde_json::from_str(line).map_err(|_| ChainBreak::Malformed)?;
        let first = links.seq == 1;
        if links.seq == 0 || first != (links.prev == GENESIS) {
            return Err(ChainBreak::Unlinked);
        }
        Ok(Self { next_seq: links.seq, last_hash: links.prev })
    }

    /// The state after `line`, which is taken to be the last of a chain.
    ///
    /// # Errors
    /// [`ChainBreak`] when the line itself does not hold.
    pub fn resume(key: &ChainKey, line: &str) -> Result<Self, ChainBreak> {
        let last_hash = read_hash(key, line)?;
        let links: RecordLinks = serde_json::from_str(line).map_err(|_| ChainBreak::Malformed)?;
        Ok(Self { next_seq: links.seq.checked_add(1).ok_or(ChainBreak::Malformed)?, last_hash })
    }
}

/// The line's hash, checked against its text.
fn read_hash(key: &ChainKey, line: &str) -> Result<String, ChainBreak> {
    let body = line.strip_suffix("\"}").ok_or(ChainBreak::Malformed)?;
    let split = body.len().checked_sub(64).filter(|at| body.is_char_boundary(*at)).ok_or(ChainBreak::Malformed)?;
    let (head, hash) = body.split_at(split);
    let text = head.strip_suffix(HASH_KEY).ok_or(ChainBreak::Malformed)?;
    if key.hash(text) == hash {
        return Ok(hash.to_owned());
    }
    let rebuilt = hex::encode(Sha256::digest(text.as_bytes())) == hash;
    Err(if rebuilt { ChainBreak::Rebuilt } else { ChainBreak::Changed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(byte: u8) -> ChainKey {
        ChainKey::new(Zeroizing::new([byte; 32]))
    }

    fn chain(losses: &[u64]) -> Vec<String> {
        chain_of(&key(1), losses)
    }

    fn chain_of(key: &ChainKey, losses: &[u64]) -> Vec<String> {
        let mut state = ChainState::default();
        let gap = |lost: &u64| state.append(key, Timestamp::from_millis(*lost), &AuditBody::Gap { lost: *lost });
        losses.iter().map(gap).collect()
    }

    /// The same lines with hashes that need no key.
    fn rebuilt(lines: &[String]) -> Vec<String> {
        let mut last = GENESIS.to_owned();
        let again = |line: &String| {
            let (text, _) = line.split_once(HASH_KEY).unwrap();
            let at = text.find("\"prev\":\"").unwrap() + 8;
            let text = format!("{}{last}{}", &text[..at], &text[at + 64..]);
            last = hex::encode(Sha256::digest(text.as_bytes()));
            format!("{text}{HASH_KEY}{last}\"}}")
        };
        lines.iter().map(again).collect()
    }

    #[test]
    fn a_chain_that_was_rebuilt_without_the_key_is_told_from_one_that_was_changed() {
        let lines = chain(&[1, 2, 3]);
        assert_eq!(verify(&rebuilt(&lines)), Err(ChainBreak::Rebuilt));
        // The records that the key has written still hold; those after them do not.
        let mut mixed = lines.clone();
        mixed[2].clone_from(&rebuilt(&lines)[2]);
        assert_eq!(verify(&mixed), Err(ChainBreak::Rebuilt));
        assert_eq!(verify(&lines[..2]), Ok(2));
        assert_eq!(verify(&chain_of(&key(2), &[1, 2, 3])), Err(ChainBreak::Changed));
        assert_eq!(
            ChainState::resume(&key(1), &rebuilt(&lines)[2]),
            Err(ChainBreak::Rebuilt),
            "the node goes on from it"
        );
    }

    fn verify(lines: &[String]) -> Result<u64, ChainBreak> {
        let mut state = ChainState::default();
        lines.iter().try_for_each(|line| state.follow(&key(1), line))?;
        Ok(state.count())
    }

    proptest! {
        #[test]
        fn an_untouched_chain_holds_and_resumes(losses in prop::collection::vec(any::<u64>(), 1..20)) {
            let lines = chain(&losses);
            prop_assert_eq!(verify(&lines), Ok(losses.len() as u64));
            let resumed = ChainState::resume(&key(1), lines.last().unwrap()).unwrap();
            prop_assert_eq!(resumed.count(), losses.len() as u64);
        }

        #[test]
        fn removing_or_swapping_or_changing_a_line_breaks_it(n in 3usize..12, at in 0usize..10) {
            let lines = chain(&(0..n as u64).collect::<Vec<_>>());
            let at = at % (n - 1);
            let mut removed = lines.clone();
            removed.remove(at);
            prop_assert_eq!(verify(&removed), Err(ChainBreak::Unlinked));
            let mut swapped = lines.clone();
            swapped.swap(at, at + 1);
            prop_assert_eq!(verify(&swapped), Err(ChainBreak::Unlinked));
            let mut changed = lines;
            changed[at] = changed[at].replace("lost", "won!");
            prop_assert_eq!(verify(&changed), Err(ChainBreak::Changed));
        }

        #[test]
        fn no_line_makes_it_panic(line in "\\PC{0,120}") {
            prop_assert!(ChainState::default().follow(&key(1), &line).is_err());
        }
    }
}
