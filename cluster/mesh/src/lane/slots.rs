//! The calls of one lane that wait for an answer.

use bytes::{Bytes, BytesMut};
use octopussy_core::ports::MeshError;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// How many bits of a number name the place; the rest count, so that a late answer never meets a later call.
const PLACE_BITS: u32 = 16;

/// Where the answer goes.
pub(super) type Answer = oneshot::Sender<Result<Bytes, MeshError>>;

/// A call that waits for an answer.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) answer: Answer,
    /// What is to be sent once the window has room; `None` when it was handed to the writer.
    pub(super) unsent: Option<(Bytes, Instant)>,
    /// The pieces of a long answer that have come.
    pub(super) pieces: BytesMut,
}

/// A table of calls with places that are used again.
#[derive(Debug, Default)]
pub(super) struct Slots {
    places: Vec<(u64, Option<Call>)>,
    free: Vec<usize>,
    count: u64,
}

impl Slots {
    /// How many calls there are.
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Keeps a call and gives it a number.
    pub(super) fn insert(&mut self, call: Call) -> u64 {
        self.count += 1;
        let place = self.free.pop().unwrap_or(self.places.len());
        let id = (self.count << PLACE_BITS) | place as u64;
        if place == self.places.len() {
            self.places.push((id, Some(call)));
        } else {
            self.places[place] = (id, Some(call));
        }
        id
    }

    /// The call of that number.
    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut Call> {
        let (found, call) = self.places.get_mut(place(id))?;
        call.as_mut().filter(|_| *found == id)
    }

    /// Takes the call of that number out.
    pub(super) fn remove(&mut self, id: u64) -> Option<Call> {
        let (found, call) = self.places.get_mut(place(id))?;
        let call = if *found == id { call.take() } else { None }?;
        self.free.push(place(id));
        Some(call)
    }

    /// Takes all calls out.
    pub(super) fn drain(&mut self) -> Vec<Call> {
        self.free.clear();
        self.places.drain(..).filter_map(|(_, call)| call).collect()
    }
}

fn place(id: u64) -> usize {
    usize::try_from(id & ((1 << PLACE_BITS) - 1)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> Call {
        Call { answer: oneshot::channel().0, unsent: None, pieces: BytesMut::new() }
    }

    #[test]
    fn a_place_is_used_again_under_another_number() {
        let mut slots = Slots::default();
        let (first, second) = (slots.insert(call()), slots.insert(call()));
        assert!(slots.remove(first).is_some());
        assert!(slots.remove(first).is_none());
        let third = slots.insert(call());
        assert_eq!(place(third), place(first));
        assert!(slots.get_mut(first).is_none() && slots.get_mut(third).is_some());
        assert!(slots.remove(first).is_none(), "a late answer must not meet a later call");
        assert_eq!(slots.len(), 2);
        assert_eq!(slots.drain().len(), 2);
        assert!(slots.remove(second).is_none());
        let fourth = slots.insert(call());
        assert!(fourth != first && fourth != second && fourth != third);
        assert_eq!(slots.len(), 1);
        assert!(slots.remove(u64::MAX).is_none());
    }
}
