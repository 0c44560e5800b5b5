//! A small runner of real nodes: it builds the binary, starts it on ports of its own, speaks REST and WebSocket to it as a
//! user would, kills it, starts it again, and plays the model it asks.
//!
//! Used by the process tests of this crate and by the programs in `benches/`.

mod agent_directory;
mod binary;
mod breakdowns;
mod cli_output;
mod cluster_runner;
mod history;
mod hosts;
mod metrics;
mod model_stub;
mod node_runner;
mod patience;
mod port_lease;
mod rest_client;
mod seeded;
mod small_disk;
mod sse;
mod ws_client;

pub use agent_directory::AgentDirectory;
pub use binary::binary;
pub use cli_output::CliOutput;
pub use cluster_runner::ClusterRunner;
pub use history::{History, Submitted};
pub use hosts::Hosts;
pub use metrics::Metrics;
pub use model_stub::{Gate, ModelStub, RecordedCall, Reply};
pub use node_runner::{NodeOptions, NodeRunner};
pub use patience::{PATIENCE, eventually, eventually_within};
pub use port_lease::PortLease;
pub use rest_client::{Answer, RestClient};
pub use seeded::Seeded;
pub use small_disk::SmallDisk;
pub use sse::{ServerEvent, SseReader};
pub use ws_client::WsClient;
