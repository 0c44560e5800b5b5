//! Which blobs the shards that are here name.

use super::host::StateHost;
use octopussy_core::agent::Document;
use octopussy_core::ids::{BlobId, ShardId, TaskId};
use octopussy_core::ports::{AgentQuery, ProposeError};
use octopussy_core::task::TaskContent;
use std::collections::BTreeSet;

impl StateHost {
    /// The blobs that agents of `shards` name with all versions that are remembered, and tasks of theirs that have not ended. Shards that are not here are passed
    /// over. Reads every agent: not for where somebody waits.
    pub(crate) fn named_blobs(&self, shards: &[ShardId]) -> Result<BTreeSet<BlobId>, ProposeError> {
        let mut named = BTreeSet::new();
        let mut contents = BTreeSet::new();
        let mut add = |documents: &[Document]| named.extend(documents.iter().map(|document| document.blob));
        for shard in shards {
            let mut query = AgentQuery { after: None, limit: 0 };
            loop {
                let page = self.agents(&[*shard], &query)?;
                page.items.iter().for_each(|agent| {
                    add(&agent.documents);
                    agent.versions.iter().for_each(|version| add(&version.documents));
                    contents.extend(agent.versions.iter().map(|version| version.content));
                });
                query.after = page.items.last().map(|agent| agent.id);
                if !page.more || query.after.is_none() {
                    break;
                }
            }
            let unended: Vec<TaskId> = self.of_shard(*shard, |machine| machine.unended_ids().collect());
            for id in unended {
                // One that was forgotten meanwhile has ended.
                let Some(task) = self.task(id)? else { continue };
                // What does not parse is refused when its agent comes to it.
                if let Ok(content) = task.message.payload().parse::<TaskContent>() {
                    add(&content.documents);
                }
            }
        }
        named.append(&mut contents);
        Ok(named)
    }
}
