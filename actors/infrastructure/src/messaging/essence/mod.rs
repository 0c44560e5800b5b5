//! Pure rules of news: what a topic remembers, where a watcher goes on, what concerns whom.

mod topic_log;

pub use topic_log::{Read, TopicLog, concerns_agents, topics_of};
