//! What the command line reads of the node's answers. Unknown fields are let through: a newer node may say more.

use serde::Deserialize;

/// A page of a list.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Page<T> {
    /// The items.
    pub(crate) items: Vec<T>,
    /// Where the next page begins.
    #[serde(default)]
    pub(crate) next: Option<String>,
}

/// A task.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Task {
    /// Its id.
    pub(crate) task_id: String,
    /// Its agent's id.
    pub(crate) agent_id: String,
    /// Its state.
    pub(crate) state: String,
    /// The answer.
    pub(crate) result: Option<String>,
    /// Why there is none.
    pub(crate) error: Option<serde_json::Value>,
    /// Why it was given up on.
    pub(crate) dead_letter: Option<serde_json::Value>,
    /// Which attempt it is in, or was in last.
    pub(crate) attempts: u32,
    /// How many attempts may fail.
    pub(crate) max_attempts: u32,
    /// How often it was begun, runs that were cut off included.
    pub(crate) begun: u32,
    /// When it was accepted.
    pub(crate) accepted_at: String,
    /// When something last happened to it.
    pub(crate) updated_at: String,
    /// Its journal.
    pub(crate) steps: Vec<Step>,
    /// Which rules cut something out of the answer.
    pub(crate) redacted: Vec<String>,
}

/// A step of a task's journal.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Step {
    /// Which, from 0.
    pub(crate) index: u32,
    /// What it was.
    pub(crate) kind: String,
    /// What it was for.
    pub(crate) name: String,
    /// Its key, the same in every attempt.
    pub(crate) key: String,
    /// Who did it.
    pub(crate) by: String,
    /// In which attempt it was done.
    pub(crate) attempt: u32,
    /// Under which leadership it was done.
    pub(crate) epoch: u64,
    /// Whether it succeeded.
    pub(crate) state: String,
    /// What it yielded.
    pub(crate) output: serde_json::Value,
    /// When it began.
    pub(crate) started_at: String,
    /// How long it took, in milliseconds.
    pub(crate) duration_ms: f64,
    /// What it cost.
    pub(crate) usage: Usage,
}

/// What a step cost.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Usage {
    /// Tokens read.
    pub(crate) prompt_tokens: u64,
    /// Tokens written.
    pub(crate) completion_tokens: u64,
    /// Millionths of a dollar.
    pub(crate) cost_micros: u64,
}

impl Task {
    /// Whether nothing more will happen to it by itself.
    pub(crate) fn is_ended(&self) -> bool {
        ["SUCCEEDED", "FAILED", "CANCELLED", "DEAD_LETTERED"].iter().any(|state| self.state.eq_ignore_ascii_case(state))
    }

    /// Whether it has its result.
    pub(crate) fn succeeded(&self) -> bool {
        self.state.eq_ignore_ascii_case("SUCCEEDED")
    }

    /// Why it has none, in words.
    pub(crate) fn reason(&self) -> Option<String> {
        self.dead_letter.as_ref().or(self.error.as_ref()).and_then(words)
    }
}

/// A text, or the readable part of an object.
fn words(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Object(map) => {
            let text = ["message", "detail", "reason", "error"].iter().find_map(|key| map.get(*key)?.as_str());
            Some(text.map_or_else(|| value.to_string(), str::to_owned))
        }
        serde_json::Value::Bool(_) | serde_json::Value::Number(_) | serde_json::Value::Array(_) => {
            Some(value.to_string())
        }
    }
}

/// An agent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Agent {
    /// Its id.
    pub(crate) agent_id: String,
    /// Its name.
    pub(crate) name: String,
    /// One sentence.
    pub(crate) description: String,
    /// How it lives.
    pub(crate) r#type: String,
    /// Its state.
    pub(crate) state: String,
    /// What its owner wants.
    pub(crate) desired: String,
    /// For finding it.
    pub(crate) tags: Vec<String>,
    /// Whose model it thinks with.
    pub(crate) provider: Option<String>,
    /// Which.
    pub(crate) model: Option<String>,
    /// How it reasons.
    pub(crate) pattern: String,
    /// How many tasks wait for it.
    pub(crate) waiting: u64,
    /// How many it has ended.
    pub(crate) tasks_ended: u64,
    /// When it was created.
    pub(crate) created_at: String,
    /// The number of its present version.
    pub(crate) version: u32,
    /// Its documents.
    pub(crate) documents: Vec<Document>,
}

/// A document of an agent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Document {
    /// Its name.
    pub(crate) name: String,
    /// Its size.
    pub(crate) bytes: u64,
}

/// A model provider.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Provider {
    /// Its name in the configuration.
    pub(crate) name: String,
    /// What it speaks.
    pub(crate) kind: String,
    /// Where it is.
    pub(crate) url: Option<String>,
    /// Its default model.
    pub(crate) model: Option<String>,
    /// Whether it is on a machine of our own.
    pub(crate) local: bool,
    /// How it is.
    pub(crate) health: String,
    /// Why.
    pub(crate) detail: Option<String>,
}

/// The node.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Status {
    /// Whether it takes work.
    pub(crate) ready: bool,
    /// Why not.
    pub(crate) not_ready_reason: Option<String>,
    /// Who it is.
    pub(crate) node: Node,
    /// Its capabilities.
    pub(crate) capabilities: Vec<Capability>,
    /// How many agents are awake.
    pub(crate) agents_active: u64,
    /// How many tasks were given up on; unknown while some shard's leader does not answer.
    pub(crate) dead_letters: Option<u64>,
    /// What an operator should know of the cluster.
    pub(crate) warnings: Vec<String>,
}

/// The cluster.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Cluster {
    /// Its id.
    pub(crate) id: String,
    /// The node that answered.
    pub(crate) node: String,
    /// How many shards it has.
    pub(crate) shards: u16,
    /// How many of them have a leader.
    pub(crate) led: u16,
    /// How many members it has.
    pub(crate) members: usize,
    /// The version of the replica table.
    pub(crate) table_version: u64,
    /// How many moves are under way.
    pub(crate) moves: usize,
    /// What an operator should know.
    pub(crate) warnings: Vec<String>,
}

/// A member of the cluster.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Member {
    /// Its id.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: String,
    /// Whether it answered.
    pub(crate) this: bool,
    /// What it is.
    pub(crate) role: String,
    /// What is wanted of it.
    pub(crate) desired: String,
    /// Whether it answers.
    pub(crate) reach: String,
    /// The round-trip time, in milliseconds.
    pub(crate) latency_ms: Option<f64>,
    /// Where it is on the mesh.
    pub(crate) addresses: Vec<String>,
    /// Its zone.
    pub(crate) zone: Option<String>,
    /// Whether it votes.
    pub(crate) votes: bool,
    /// How many shards it leads.
    pub(crate) leads: u32,
    /// How many replicas it holds.
    pub(crate) replicas: u32,
    /// What it tells of itself.
    pub(crate) facts: Option<Facts>,
}

/// What a node tells of itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Facts {
    /// The release it runs.
    pub(crate) version: String,
    /// Its load, by processor.
    pub(crate) load: f64,
    /// How many agents are awake on it.
    pub(crate) active_agents: u64,
}

/// A token of the interfaces as it is listed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ApiTokenInfo {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) expires_at: String,
    pub(crate) made_at: String,
    pub(crate) made_by: String,
    pub(crate) made_at_node: String,
    pub(crate) of_node: bool,
    pub(crate) revoked_at: Option<String>,
    pub(crate) revoked_by: Option<String>,
}

/// A join token as it is listed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct JoinTokenInfo {
    pub(crate) id: String,
    pub(crate) role: String,
    pub(crate) uses: String,
    pub(crate) used_by: Vec<String>,
    pub(crate) expires_at: String,
    pub(crate) made_at: String,
    pub(crate) made_by: String,
    pub(crate) made_at_node: String,
}

/// Something that became of a member.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct MemberChange {
    pub(crate) at: String,
    pub(crate) name: String,
    pub(crate) event: String,
    pub(crate) by: Option<String>,
    pub(crate) by_role: Option<String>,
    pub(crate) at_node: Option<String>,
}

/// A shard.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Shard {
    /// Its number.
    pub(crate) shard: u16,
    /// Who leads it.
    pub(crate) leader: Option<String>,
    /// Its voters.
    pub(crate) voters: Vec<String>,
    /// Its learners.
    pub(crate) learners: Vec<String>,
    /// Who will hold it.
    pub(crate) moving_to: Vec<String>,
}

/// What a recovery has done.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Recovered {
    /// The shards that go on.
    pub(crate) shards: Vec<u16>,
    /// Whether the control group does.
    pub(crate) control_group: bool,
    /// Who was taken out of the cluster, by name.
    pub(crate) lost: Vec<String>,
}

/// Who a node is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Node {
    /// Its id.
    pub(crate) id: String,
    /// Its version.
    pub(crate) version: String,
    /// Its profile.
    pub(crate) profile: String,
    /// How long it has run.
    pub(crate) uptime_seconds: f64,
}

/// A capability of the node.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Capability {
    /// Its name.
    pub(crate) id: String,
    /// Its number on the map.
    pub(crate) number: u8,
    /// Its layer.
    pub(crate) layer: String,
    /// How it is.
    pub(crate) state: String,
    /// Why.
    pub(crate) detail: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_task_is_read_with_and_without_its_optional_parts() {
        let task: Task = serde_json::from_value(json!({"task_id":"t","state":"RUNNING","new_field":1})).unwrap();
        assert!(!task.is_ended());
        let task: Task = serde_json::from_value(json!({"task_id":"t","state":"DEAD_LETTERED","dead_letter":"EXPIRED",
            "result":null,"steps":[{"index":0,"kind":"model","key":"t/0","attempt":1}]}))
        .unwrap();
        assert!(task.is_ended() && !task.succeeded());
        assert_eq!(task.reason().as_deref(), Some("EXPIRED"));
        assert_eq!(task.steps[0].key, "t/0");
    }
}
