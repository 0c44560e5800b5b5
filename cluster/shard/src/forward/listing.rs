//! Listings over the shards of several nodes.

use super::local;
use super::patience::Patience;
use super::remote;
use super::wire::{Part, Rejection, Reply, Request};
use crate::groups::Core;
use crate::raft::GroupId;
use octopussy_core::agent::AgentRecord;
use octopussy_core::codec;
use octopussy_core::ids::{NodeId, ShardId};
use octopussy_core::ports::{MAX_FRAME_BYTES, Page, ProposeError};
use octopussy_core::task::TaskRecord;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The bytes of a page that travels; what does not fit follows with the next page.
const PAGE_BYTES: usize = MAX_FRAME_BYTES * 3 / 4;

/// The longest page, which the ledger port promises.
const MAX_ROWS: usize = 500;

/// A page's length within its bound; zero asks for the bound.
fn bounded(limit: usize) -> usize {
    if limit == 0 { MAX_ROWS } else { limit.min(MAX_ROWS) }
}

/// Cuts a page to what fits into a frame, but never to nothing.
pub(super) fn fitting<T: Serialize>(mut page: Page<T>) -> Page<T> {
    let mut bytes = 0;
    let fits = page.items.iter().take_while(|item| {
        bytes += codec::encoded_len(item).unwrap_or(PAGE_BYTES);
        bytes <= PAGE_BYTES
    });
    let keep = fits.count().max(1);
    if keep < page.items.len() {
        page.items.truncate(keep);
        page.more = true;
    }
    page
}

/// Asks the leaders of the shards, each once for all that it leads, until every shard is answered for.
pub(super) async fn everywhere(
    core: &Arc<Core>,
    mut left: Vec<ShardId>,
    request: impl Fn(Vec<ShardId>) -> Request,
) -> Result<Vec<Reply>, ProposeError> {
    let mut patience = Patience::new(core.context.config.patience);
    let mut replies = Vec::new();
    let mut told: BTreeMap<ShardId, NodeId> = BTreeMap::new();
    let mut round = 0;
    loop {
        if core.stopping.is_cancelled() {
            return Err(ProposeError::Stopping);
        }
        let mut asked = Vec::new();
        for (node, shards) in by_leader(core, &left, &told, round) {
            let request = request(shards.clone());
            let (core, patience) = (Arc::clone(core), &patience);
            asked.push(async move {
                let answer = match shards.first() {
                    Some(&one) if node != core.me() => {
                        remote::ask_about_shards(&core, one, node, &request, patience).await
                    }
                    Some(_) | None => Some(local::answer(&core, request).await),
                };
                (node, shards, answer)
            });
        }
        for (node, shards, answer) in futures::future::join_all(asked).await {
            match answer {
                Some(Ok(reply)) => {
                    let elsewhere = elsewhere(&reply);
                    for shard in shards {
                        match elsewhere.iter().find(|(other, _)| *other == shard) {
                            Some((_, leader)) => {
                                core.hints.drop(GroupId::of(shard), node);
                                told.remove(&shard);
                                told.extend(leader.map(|leader| (shard, leader)));
                            }
                            None => {
                                core.hints.set(GroupId::of(shard), node);
                                left.retain(|other| *other != shard);
                            }
                        }
                    }
                    replies.push(reply);
                }
                Some(Err(Rejection::Failed(error))) if !matches!(error, ProposeError::Stopping) => return Err(error),
                Some(Err(_)) | None => {
                    for shard in shards {
                        core.hints.drop(GroupId::of(shard), node);
                        told.remove(&shard);
                    }
                }
            }
        }
        let Some(first) = left.first() else { return Ok(replies) };
        patience.look(core.is_cut_off(GroupId::of(*first)));
        if patience.is_over() {
            return Err(ProposeError::NoLeader(*first));
        }
        round += 1;
        if round > 1 {
            patience.pause().await;
        }
    }
}

/// Whom to ask about which shards. Where the leader is not known, another replica is asked each round.
fn by_leader(
    core: &Core,
    left: &[ShardId],
    told: &BTreeMap<ShardId, NodeId>,
    round: usize,
) -> BTreeMap<NodeId, Vec<ShardId>> {
    let mut nodes: BTreeMap<NodeId, Vec<ShardId>> = BTreeMap::new();
    for shard in left {
        let node = if core.leads(*shard) {
            Some(core.me())
        } else {
            told.get(shard).copied().or_else(|| {
                let candidates = core.candidates(GroupId::of(*shard));
                candidates.get(round % candidates.len().max(1)).copied()
            })
        };
        nodes.entry(node.unwrap_or_else(|| core.me())).or_default().push(*shard);
    }
    nodes
}

fn elsewhere(reply: &Reply) -> Vec<(ShardId, Option<NodeId>)> {
    match reply {
        Reply::Tasks(Part { elsewhere, .. }) => elsewhere.clone(),
        Reply::Agents(Part { elsewhere, .. }) => elsewhere.clone(),
        Reply::DeadLetters(Part { elsewhere, .. }) => elsewhere.clone(),
        Reply::Applied(_) | Reply::Task(_) | Reply::Agent(_) | Reply::Count(_) | Reply::Word(_) | Reply::Digests(_) => {
            Vec::new()
        }
    }
}

/// One page of the pages of several nodes. `before` says which row comes first.
///
/// A node's page that has more rows says nothing of what comes after its last row, so that the merged page ends with the
/// first such last row.
fn merge<T>(pages: Vec<Page<T>>, limit: usize, before: impl Fn(&T, &T) -> std::cmp::Ordering) -> Page<T> {
    let mut more = false;
    let mut items: Vec<(T, bool)> = Vec::new();
    for page in pages {
        more |= page.more;
        let last = page.items.len().saturating_sub(1);
        let ends = page.more;
        items.extend(page.items.into_iter().enumerate().map(|(at, item)| (item, ends && at == last)));
    }
    items.sort_by(|(left, _), (right, _)| before(left, right));
    let end = items.iter().position(|(_, ends)| *ends).map_or(items.len(), |at| at + 1);
    let keep = end.min(limit);
    more |= keep < items.len();
    Page { items: items.into_iter().take(keep).map(|(item, _)| item).collect(), more }
}

/// Tasks, newest first.
pub(super) fn merge_tasks(replies: Vec<Reply>, limit: usize) -> Page<Arc<TaskRecord>> {
    let mut pages = Vec::new();
    for reply in replies {
        if let Reply::Tasks(part) = reply {
            pages.push(part.answer);
        }
    }
    merge(pages, bounded(limit), |left, right| right.id.cmp(&left.id))
}

/// Agents, by id.
pub(super) fn merge_agents(replies: Vec<Reply>, limit: usize) -> Page<Arc<AgentRecord>> {
    let mut pages = Vec::new();
    for reply in replies {
        if let Reply::Agents(part) = reply {
            pages.push(part.answer);
        }
    }
    merge(pages, bounded(limit), |left, right| left.id.cmp(&right.id))
}

/// The sum of the dead letters.
pub(super) fn sum(replies: Vec<Reply>) -> u64 {
    let counts = replies.into_iter().map(|reply| if let Reply::DeadLetters(part) = reply { part.answer } else { 0 });
    counts.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(items: &[u32], more: bool) -> Page<u32> {
        Page { items: items.to_vec(), more }
    }

    #[test]
    fn a_merged_page_has_no_holes() {
        let merged = merge(vec![page(&[1, 4], true), page(&[2, 3, 7, 9], false)], 10, u32::cmp);
        assert_eq!(merged.items, [1, 2, 3, 4], "what the first node has after 4 is not known");
        assert!(merged.more);
    }

    #[test]
    fn a_merged_page_keeps_its_limit() {
        let merged = merge(vec![page(&[1, 4], false), page(&[2, 3], false)], 3, u32::cmp);
        assert_eq!((merged.items, merged.more), (vec![1, 2, 3], true));
        let merged = merge(vec![page(&[1, 4], false), page(&[2, 3], false)], 4, u32::cmp);
        assert_eq!((merged.items, merged.more), (vec![1, 2, 3, 4], false));
    }
}
