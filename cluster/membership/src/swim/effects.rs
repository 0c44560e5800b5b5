use super::codec::PROTOCOL_VERSION;
use super::exchange::{Request, encode_request};
use super::identity::Identity;
use super::output::{Output, SwimTimer, TimerKind};
use bytes::{BufMut, BytesMut};
use foca::{Member, Notification, Runtime, State, Timer, TimerToken};
use octopussy_core::ids::NodeId;
use std::time::Duration;

/// Takes what foca wants done and hands it on as outputs.
pub(super) struct Effects<'a> {
    pub(super) me: NodeId,
    pub(super) generation: u32,
    pub(super) out: &'a mut Vec<Output>,
    /// The token of foca's present timers, as its probe timer shows it.
    pub(super) token: &'a mut TimerToken,
}

impl Runtime<Identity> for Effects<'_> {
    fn notify(&mut self, notification: Notification<'_, Identity>) {
        match notification {
            Notification::Rejoin(identity) => self.out.push(Output::Renewed(*identity)),
            // Members are read from the list, which also knows of suspicion; our own state follows from it.
            Notification::MemberUp(_)
            | Notification::MemberDown(_)
            | Notification::Rename(..)
            | Notification::Active
            | Notification::Idle
            | Notification::Defunct => {}
        }
    }

    fn send_to(&mut self, to: Identity, data: &[u8]) {
        // An older identity of ours is in the list as down, and now and then foca wants to greet it.
        if to.node == self.me {
            return;
        }
        let mut frame = BytesMut::with_capacity(data.len() + 1);
        frame.put_u8(PROTOCOL_VERSION);
        frame.put_slice(data);
        self.out.push(Output::Datagram { to: to.node, frame: frame.freeze() });
    }

    fn submit_after(&mut self, event: Timer<Identity>, after: Duration) {
        if let Timer::ProbeRandomMember(token) = event {
            *self.token = token;
        }
        if let Timer::ChangeSuspectToDown { member_id, incarnation, .. } = event {
            // The suspect must not have to wait for gossip, which may be lost: it is asked on a stream, where it answers
            // with the incarnation that refutes the suspicion. Without a connection to it, gossip is the only way.
            let doubt = Request::Doubt(Member::new(member_id, incarnation, State::Suspect));
            self.out.push(Output::Sync { to: member_id.node, request: encode_request(&doubt) });
        }
        let timer = SwimTimer { generation: self.generation, kind: TimerKind::Foca(event) };
        self.out.push(Output::Timer { after, timer });
    }
}
