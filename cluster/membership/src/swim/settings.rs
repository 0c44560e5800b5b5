use octopussy_core::ports::MAX_DATAGRAM_BYTES;
use std::num::{NonZeroU8, NonZeroUsize};
use std::time::Duration;

/// The protocol's settings. Start from [`Settings::standard`], [`Settings::fast`] or [`Settings::wan`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How often a member is probed. Must be more than twice `probe_rtt`, because the indirect probe needs its time too.
    pub probe_period: Duration,
    /// How long a direct probe may take before others are asked to probe.
    pub probe_rtt: Duration,
    /// How many others are asked, and to how many changes are told at once.
    pub fan_out: NonZeroUsize,
    /// How long up to ten members a suspect has to speak up before it is down; grows with the logarithm of the size, to
    /// twice as long at a hundred. What is suspected must have the time to hear of it.
    pub suspicion: Duration,
    /// How often changes are told, while there are any.
    pub gossip_every: Duration,
    /// How often a random member is asked for members; `None` never.
    pub announce_every: Option<Duration>,
    /// How often a member that is down is told that we are here; `None` never.
    pub announce_down_every: Option<Duration>,
    /// How often full states are compared with a random peer; `None` never.
    pub sync_every: Option<Duration>,
    /// Whether full states are compared with every newly connected peer. Without it, a new peer is only asked for members.
    pub sync_on_connect: bool,
    /// After what time a member that is down is no longer remembered by the protocol.
    pub forget_down_after: Duration,
}

/// The settings contradict themselves.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Nothing may take no time.
    #[error("{0} must not be zero")]
    Zero(&'static str),
    /// There is no time left for indirect probes.
    #[error("probe_period ({period:?}) must be more than twice probe_rtt ({rtt:?})")]
    Probe {
        /// The period.
        period: Duration,
        /// The round-trip time.
        rtt: Duration,
    },
}

impl Settings {
    /// For a local network: a probe every 300 ms; the death of one of ten nodes is known everywhere within 3 s, of one of a
    /// hundred within 5 s.
    #[must_use]
    pub const fn standard() -> Self {
        Self {
            probe_period: Duration::from_millis(300),
            probe_rtt: Duration::from_millis(120),
            fan_out: FAN_OUT,
            suspicion: Duration::from_millis(1_000),
            gossip_every: Duration::from_millis(200),
            announce_every: Some(Duration::from_secs(3)),
            announce_down_every: Some(Duration::from_secs(15)),
            sync_every: Some(Duration::from_secs(30)),
            sync_on_connect: true,
            forget_down_after: Duration::from_secs(24 * 60 * 60),
        }
    }

    /// Twice as quick, for machines and networks that never stall.
    #[must_use]
    pub const fn fast() -> Self {
        Self {
            probe_period: Duration::from_millis(150),
            probe_rtt: Duration::from_millis(60),
            suspicion: Duration::from_millis(500),
            gossip_every: Duration::from_millis(100),
            ..Self::standard()
        }
    }

    /// For nodes that are far apart.
    #[must_use]
    pub const fn wan() -> Self {
        Self {
            probe_period: Duration::from_millis(2_000),
            probe_rtt: Duration::from_millis(800),
            suspicion: Duration::from_millis(5_000),
            gossip_every: Duration::from_millis(500),
            announce_every: Some(Duration::from_secs(10)),
            ..Self::standard()
        }
    }

    /// Checks that the settings go together.
    ///
    /// # Errors
    /// The first contradiction.
    pub fn check(&self) -> Result<(), SettingsError> {
        let positive = [
            ("probe_period", self.probe_period),
            ("probe_rtt", self.probe_rtt),
            ("suspicion", self.suspicion),
            ("gossip_every", self.gossip_every),
            ("announce_every", self.announce_every.unwrap_or(Duration::MAX)),
            ("announce_down_every", self.announce_down_every.unwrap_or(Duration::MAX)),
            ("sync_every", self.sync_every.unwrap_or(Duration::MAX)),
            ("forget_down_after", self.forget_down_after),
        ];
        if let Some((name, _)) = positive.into_iter().find(|(_, duration)| duration.is_zero()) {
            return Err(SettingsError::Zero(name));
        }
        if self.probe_period <= self.probe_rtt.saturating_mul(2) {
            return Err(SettingsError::Probe { period: self.probe_period, rtt: self.probe_rtt });
        }
        Ok(())
    }

    /// How long a suspect has among `members`: `suspicion × max(1, log10 members)`, the rule of Lifeguard and memberlist.
    #[must_use]
    pub fn suspicion_among(&self, members: usize) -> Duration {
        self.suspicion.mul_f64(decades(members).max(1.0))
    }

    /// How often one change is told among `members`: `5 × log10 (members + 1)`, and never fewer than eight times: in a small cluster the
    /// copies of a change would otherwise be used up within two lost packets.
    fn transmissions_among(members: usize) -> NonZeroU8 {
        let times = (5.0 * decades(members.saturating_add(1))).ceil().clamp(8.0, 32.0);
        // In range by the clamp; a float has no lossless conversion.
        NonZeroU8::new(times as u8).unwrap_or(NonZeroU8::MIN)
    }

    /// Foca's configuration among `members`, this node included.
    pub(super) fn foca(&self, members: usize) -> foca::Config {
        let periodic = |every: Duration, num_members| foca::PeriodicParams { frequency: every, num_members };
        foca::Config {
            probe_period: self.probe_period,
            probe_rtt: self.probe_rtt,
            num_indirect_probes: self.fan_out,
            max_transmissions: Self::transmissions_among(members),
            suspect_to_down_after: self.suspicion_among(members),
            remove_down_after: Some(self.forget_down_after),
            max_packet_size: PACKET_BYTES,
            notify_down_members: true,
            periodic_announce: self.announce_every.map(|every| periodic(every, NonZeroUsize::MIN)),
            periodic_announce_to_down_members: self.announce_down_every.map(|every| periodic(every, NonZeroUsize::MIN)),
            periodic_gossip: Some(periodic(self.gossip_every, self.fan_out)),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::standard()
    }
}

/// Three independent ways around a lost packet: all fail together in well under one of a hundred cases at 5 % loss.
const FAN_OUT: NonZeroUsize = NonZeroUsize::new(3).unwrap();

/// What foca may fill of a datagram: all of it but our version byte.
const PACKET_BYTES: NonZeroUsize = NonZeroUsize::new(MAX_DATAGRAM_BYTES - 1).unwrap();

fn decades(members: usize) -> f64 {
    f64::from(u32::try_from(members).unwrap_or(u32::MAX).max(1)).log10()
}
