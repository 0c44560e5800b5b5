//! A door for the fuzz targets: what a peer, which may be mad, says to the membership protocol.

use crate::swim::{Output, Settings, Swim, SwimTimer};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{Incarnation, MAX_DATAGRAM_BYTES, Reach};
use std::time::Duration;

const ME: Incarnation = Incarnation { node: NodeId([2; 16]), boot: 1 };
/// The lower of two begins to compare.
const PEER: Incarnation = Incarnation { node: NodeId([1; 16]), boot: 1 };

/// How many timers are given back at once.
const TIMERS_AT_ONCE: usize = 32;

/// A life of one node: inputs, each of a byte for its kind, two for the length of its content (little-endian), and its content.
///
/// # Panics
/// When the node takes itself for dead, or sends a datagram that does not fit.
pub fn life(bytes: &[u8]) {
    let mut node = Node::new();
    let mut rest = bytes;
    while let Some((&[kind, low, high], after)) = rest.split_first_chunk::<3>() {
        let length = usize::from(u16::from_le_bytes([low, high])).min(after.len());
        let (content, next) = after.split_at(length);
        node.input(kind, content);
        rest = next;
    }
}

struct Node {
    swim: Swim,
    now: Duration,
    timers: Vec<(Duration, SwimTimer)>,
}

impl Node {
    fn new() -> Self {
        let mut node =
            Self { swim: Swim::new(ME, None, Settings::standard(), 1), now: Duration::ZERO, timers: Vec::new() };
        let mut out = Vec::new();
        node.swim.start(&mut out);
        node.swim.on_connected(node.now, PEER, &mut out);
        node.carry_out(out);
        node
    }

    /// What a peer sends may be refused; that is not looked at.
    fn input(&mut self, kind: u8, content: &[u8]) {
        let (now, mut out) = (self.now, Vec::new());
        match kind {
            0 => drop(self.swim.on_datagram(now, PEER.node, content, &mut out)),
            // Behind a true beginning, so that the decoder is reached.
            1 => {
                let frame = [&[1][..], &PEER.node.0, content].concat();
                let _taken = self.swim.on_datagram(now, PEER.node, &frame, &mut out);
            }
            2 => drop(self.swim.on_sync_request(now, PEER.node, content, &mut out)),
            3 => drop(self.swim.on_sync_answer(now, PEER.node, content, &mut out)),
            4 => self.swim.on_closed(now, PEER, &mut out),
            5 => self.swim.on_connected(now, PEER, &mut out),
            6..=u8::MAX => {
                self.now += Duration::from_millis(u64::from(kind) * 20);
                self.give_back(&mut out);
            }
        }
        self.carry_out(out);
        assert_eq!(self.swim.reach(ME.node), Reach::Alive);
    }

    fn give_back(&mut self, out: &mut Vec<Output>) {
        self.timers.sort_by_key(|(at, _)| *at);
        let due = self.timers.iter().take(TIMERS_AT_ONCE).take_while(|(at, _)| *at <= self.now).count();
        for (_, timer) in self.timers.drain(..due) {
            self.swim.on_timer(self.now, timer, out);
        }
    }

    fn carry_out(&mut self, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Datagram { frame, .. } => assert!(frame.len() <= MAX_DATAGRAM_BYTES, "{} bytes", frame.len()),
                Output::Timer { after, timer } => self.timers.push((self.now + after, timer)),
                Output::Sync { .. } | Output::Changed(_) | Output::Renewed(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octopussy_corpus::replay;

    fn input(kind: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_le_bytes();
        [&[kind][..], &length, content].concat()
    }

    /// What the peer sends when it is connected with this node: full states on the lane, or an announcement without them.
    fn said(sync_on_connect: bool) -> Vec<Output> {
        let settings = Settings { sync_on_connect, ..Settings::standard() };
        let mut out = Vec::new();
        Swim::new(PEER, None, settings, 2).on_connected(Duration::ZERO, ME, &mut out);
        out
    }

    #[test]
    fn the_corpus_passes() {
        let announcement = said(false).into_iter().find_map(|output| match output {
            Output::Datagram { frame, .. } => Some(frame),
            Output::Timer { .. } | Output::Sync { .. } | Output::Changed(_) | Output::Renewed(_) => None,
        });
        let compare = said(true).into_iter().find_map(|output| match output {
            Output::Sync { request, .. } => Some(request),
            Output::Datagram { .. } | Output::Timer { .. } | Output::Changed(_) | Output::Renewed(_) => None,
        });
        let (announcement, compare) = (announcement.unwrap(), compare.unwrap());
        let answer = Swim::new(ME, None, Settings::standard(), 3)
            .on_sync_request(Duration::ZERO, PEER.node, &compare, &mut Vec::new())
            .unwrap();
        let met = [input(0, &announcement), input(50, &[]), input(4, &[]), input(255, &[]), input(5, &[])].concat();
        let told = [input(0, &announcement), input(2, &compare), input(3, &answer), input(200, &[])].concat();
        replay("membership", life, &[("met-lost-and-met-again", met), ("told", told)]);
    }
}
