//! What all interfaces share of HTTP: the edge every request passes, extractors, errors, and how things look in JSON.

mod body;
mod cluster_view;
mod drain;
mod edge;
mod extract;
mod failure;
mod feed;
mod member_change_view;
mod task_request;
mod token_view;
mod view;

pub(crate) use body::{JsonBody, ManageAgents, ManageCluster, ManageSecrets, ManageTokens, Read, SubmitTasks};
pub(crate) use cluster_view::{
    ClusterBody, DigestsBody, JoinTokenBody, JoinTokenInfoBody, KeyRotationBody, MemberBody, MemberRoleName, ShardBody,
    TokenUseName,
};
#[cfg(test)]
pub(crate) use edge::ROUTES;
pub(crate) use edge::{Trace, edge};
pub(crate) use extract::{Caller, IdempotencyKey, PathText, QueryOf, authenticate, parse_wait};
pub(crate) use failure::{Failure, FindingBody, ProblemBody};
pub(crate) use feed::{Feed, Item, ItemStream, LOOK_AT_TOKEN};
pub(crate) use member_change_view::MemberChangeBody;
pub(crate) use task_request::{TaskRequest, agent_id, with_agent_name};
pub(crate) use token_view::{ApiTokenBody, ApiTokenInfoBody, RoleName};
pub(crate) use view::{
    AgentBody, AgentStateName, At, PageBody, ProviderBody, StatusBody, TaskBody, TaskStateName, agent_body,
    provider_body, result_of, status_body, task_body,
};
