//! The bounds of the mesh, each with its reason.

use std::time::Duration;

/// How many requests of one lane may be under way to one peer: enough to fill a gigabit link with small requests at a few
/// milliseconds of round-trip time, and a table of a few hundred kilobytes at most.
pub const LANE_WINDOW: usize = 2_048;

/// How many more requests may wait in front of a lane's window: as many again, so that a burst is smoothed and a backlog
/// that would only time out is refused.
pub const LANE_QUEUE: usize = 2_048;

/// How many bytes of requests may wait to be written on one lane: a few of the longest frames.
pub(crate) const LANE_BYTES: usize = 16 * 1024 * 1024;

/// How many requests of one peer may be carried out at once on one lane. Above a peer's window, since a peer forgets the
/// requests whose time is over while they are still carried out here.
pub(crate) const LANE_SERVED: usize = 2 * LANE_WINDOW;

/// How many bytes of answers may wait to be written before no more requests are read.
pub(crate) const REPLY_BYTES: usize = 8 * 1024 * 1024;

/// From how many bytes of answers on they are written before more requests are read.
pub(crate) const REPLY_BATCH: usize = 64 * 1024;

/// How long a connection that carries nothing is kept: after this a peer that vanished is known to be gone.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(3);

/// How many streams for one purpose this node may have open to one peer. With the lanes they fit into [`BIDI_STREAMS`].
pub(crate) const PURPOSE_STREAMS: usize = 48;

/// How many bidirectional streams a peer may have open to this node: those for one purpose, the lanes, the greeting, and
/// some that are just being closed.
pub(crate) const BIDI_STREAMS: u32 = 80;

/// How many one-way messages may be under way to or from one peer; they are dispensable, so more are dropped.
pub(crate) const GOSSIP_STREAMS: u32 = 16;

/// How much a peer may send on one stream before it is read. Not less, since it bounds the rate of a single stream on long
/// ways (20 MB/s at 50 ms); not more, since it times [`BIDI_STREAMS`] bounds what a peer can make this node hold.
pub(crate) const STREAM_WINDOW: u32 = 1024 * 1024;

/// How many datagrams' bytes may wait to be read and to be sent on one connection; the oldest are dropped.
pub(crate) const DATAGRAM_BYTES: usize = 512 * 1024;

/// The kernel's buffers of the socket: the default of 208 KiB drops bursts and multiplies the tails of latency by four.
pub(crate) const SOCKET_BYTES: usize = 4 * 1024 * 1024;

/// How many nodes the mesh keeps connections to: far more than a cluster has members.
pub(crate) const MAX_PEERS: usize = 1_024;

/// How many addresses of one node are tried.
pub(crate) const MAX_ADDRESSES: usize = 16;

/// How many nodes that have left are remembered so that they are refused.
pub(crate) const MAX_FORGOTTEN: usize = 4_096;

/// How many nodes are remembered of which a copy was refused: an operator looks after the first.
pub(crate) const MAX_IMPOSTORS: usize = 64;

/// How many connections may be shaking hands at once: a handshake costs a signature and a few tens of kilobytes.
pub(crate) const MAX_HANDSHAKES: usize = 128;

/// How many of them may come from one address: several nodes behind one router come back at once.
pub(crate) const HANDSHAKES_OF_ONE_SOURCE: usize = 24;

/// How many of them only come from addresses of nodes that are known, so that members find each other again whoever else
/// knocks.
pub(crate) const HANDSHAKES_KEPT: usize = 32;

/// From how many handshakes on a peer has to prove its address first.
pub(crate) const RETRY_HANDSHAKES: usize = 16;

/// How long shaking hands and greeting may take.
pub(crate) const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);

/// How long one address is tried.
pub(crate) const DIAL_LIMIT: Duration = Duration::from_secs(3);

/// How long the node with the higher id leaves dialing to the other before it dials itself.
pub(crate) const DIAL_GRACE: Duration = Duration::from_millis(250);

/// The shortest pause between two rounds of dialing.
pub(crate) const DIAL_PAUSE_MIN: Duration = Duration::from_millis(100);

/// The longest pause between two rounds of dialing.
pub(crate) const DIAL_PAUSE_MAX: Duration = Duration::from_secs(5);

/// How long after one address of a node the next is dialed too: long enough for a good one to answer.
pub(crate) const DIAL_STAGGER: Duration = Duration::from_millis(250);

/// How long a connection has to last to count as one that works.
pub(crate) const DIAL_STABLE: Duration = Duration::from_secs(2);

/// How long the lesser of two connections to the same node is served until it is closed, so that what is under way ends.
pub(crate) const LINGER: Duration = Duration::from_secs(1);

/// How long the first byte of a stream may take, a one-way message to arrive, and a stream to be granted.
pub(crate) const STREAM_LIMIT: Duration = Duration::from_secs(5);

/// New streams and one-way messages a peer may begin a second, and in one burst: far more than anything here does.
pub(crate) const STREAM_RATE: (f64, f64) = (2_000.0, 4_000.0);

/// Datagrams a peer may send a second, and in one burst.
pub(crate) const DATAGRAM_RATE: (f64, f64) = (20_000.0, 20_000.0);

/// Attempts to join from one address a second, and in one burst: a person who mistypes is served, a search is not.
pub(crate) const JOIN_RATE: (f64, f64) = (0.5, 5.0);

/// How many addresses the attempts to join are counted for; the longest unheard one is forgotten first.
pub(crate) const JOIN_SOURCES: usize = 1_024;

/// How many attempts to join are served at once.
pub(crate) const JOIN_CONCURRENT: usize = 16;

/// How many of them may come from one address.
pub(crate) const JOIN_OF_ONE_SOURCE: usize = 4;

/// How many of them only come from addresses of nodes that are known: guests renew their certificates this way.
pub(crate) const JOIN_KEPT: usize = 4;

/// How long somebody who was answered may take to close the connection.
pub(crate) const JOIN_LINGER: Duration = Duration::from_secs(1);

/// How long an attempt to join may take in all.
pub(crate) const JOIN_LIMIT: Duration = Duration::from_secs(30);

/// How long the request of an attempt to join may take to arrive.
pub(crate) const JOIN_REQUEST_LIMIT: Duration = Duration::from_secs(5);

/// The longest request to join.
pub const JOIN_REQUEST_BYTES: usize = 64 * 1024;

/// The longest answer to a request to join.
pub const JOIN_ANSWER_BYTES: usize = 1024 * 1024;

/// The longest greeting: the lives of a node take a kilobyte and a half.
pub(crate) const HELLO_BYTES: usize = 4 * 1024;

/// How often the same kind of trouble is logged.
pub(crate) const LOG_EVERY: Duration = Duration::from_secs(10);

/// How many frames of one stream may wait for their reader in the in-memory mesh.
pub(crate) const STREAM_FRAMES: usize = 16;

/// How long a node that connects and is unknown here is looked up before it is refused: others may know it already.
pub(crate) const ADMISSION_LIMIT: Duration = Duration::from_millis(2_500);

/// What a node answers to what the asking one may not ask.
pub(crate) const REQUEST_FORBIDDEN: &str = "the cluster does not let this node ask that";

/// What a node answers on a lane that it does not serve.
pub(crate) const LANE_NOT_SERVED: &str = "the lane is not served";

/// Why there is no answer that travels: it has more bytes than any may have.
pub(crate) const TOO_LONG: &str = "the answer is too long";

/// What a node answers to a stream of a kind that it does not serve.
pub(crate) const STREAM_NOT_SERVED: &str = "streams of this kind are not served";
