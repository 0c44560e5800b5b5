//! The cluster: its members, where its shards are, and what an operator does to them.

use super::node::ItemsBody;
use super::tasks::json;
use crate::http::{
    Caller, ClusterBody, DigestsBody, Failure, JoinTokenBody, JoinTokenInfoBody, JsonBody, KeyRotationBody,
    ManageCluster, MemberBody, MemberChangeBody, MemberRoleName, PathText, QueryOf, ShardBody, TokenUseName,
};
use crate::serve::Context;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use octopussy_core::ports::RecoveryView;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// The largest body of a request for a token: two short fields.
const TOKEN_BODY: usize = 16 * 1024;
/// For how long a join token is valid unless the client says otherwise, in seconds.
const DEFAULT_VALIDITY: u64 = 3600;

/// Which join token is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = JoinTokenRequest)]
pub(super) struct TokenRequest {
    /// How often it may be used; absent: once.
    #[schema(required = false)]
    uses: Option<TokenUseName>,
    /// What a node becomes that joins with it; absent: a full member.
    #[schema(required = false)]
    role: Option<MemberRoleName>,
    /// For how long it is valid; absent: an hour.
    #[schema(required = false, minimum = 10, maximum = 2_592_000)]
    valid_for_seconds: Option<u64>,
}

/// Whether a node that is down is to be removed at once.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct RemoveQuery {
    /// Remove a node that is down without waiting until everything is moved off it.
    #[param(default = false)]
    force: Option<bool>,
    /// It was stolen: as with `force`, and every join token is withdrawn and the shared keys are replaced once it is out.
    #[param(default = false)]
    stolen: Option<bool>,
}

/// How many shards are moving or have yet to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rebalanced)]
pub(super) struct RebalancedBody {
    moves: usize,
}

/// What goes on with what the answering node has, and without whom.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Recovered)]
pub(super) struct RecoveredBody {
    /// The shards that go on with what the answering node has.
    shards: Vec<u16>,
    /// Whether the control group does.
    control_group: bool,
    /// The names of the members that did not answer: they are taken out of the cluster.
    lost: Vec<String>,
}

/// Shows the cluster as the answering node sees it.
#[utoipa::path(
    get, path = "/api/v1/cluster", tag = "cluster",
    responses((status = 200, description = "The cluster.", body = ClusterBody))
)]
pub(super) async fn show(State(context): State<Arc<Context>>, Caller(principal): Caller) -> Result<Response, Failure> {
    json(StatusCode::OK, &ClusterBody::from(context.orchestrator.cluster(&principal)?))
}

/// Lists the members by name.
#[utoipa::path(
    get, path = "/api/v1/cluster/members", tag = "cluster",
    responses((status = 200, description = "The members.", body = ItemsBody<MemberBody>))
)]
pub(super) async fn members(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
) -> Result<Response, Failure> {
    let members = context.orchestrator.members(&principal)?;
    json(StatusCode::OK, &ItemsBody { items: members.into_iter().map(MemberBody::from).collect() })
}

/// Lists the shards with the nodes that hold them.
#[utoipa::path(
    get, path = "/api/v1/cluster/ring", tag = "cluster",
    responses((status = 200, description = "The shards.", body = ItemsBody<ShardBody>))
)]
pub(super) async fn ring(State(context): State<Arc<Context>>, Caller(principal): Caller) -> Result<Response, Failure> {
    let ring = context.orchestrator.ring(&principal)?;
    json(StatusCode::OK, &ItemsBody { items: ring.into_iter().map(ShardBody::from).collect() })
}

/// Lists what became of members lately, the newest first, with whoever asked for it.
#[utoipa::path(
    get, path = "/api/v1/cluster/history", tag = "cluster",
    responses((status = 200, description = "The last changes of the members.", body = ItemsBody<MemberChangeBody>))
)]
pub(super) async fn history(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
) -> Result<Response, Failure> {
    let history = context.orchestrator.member_history(&principal)?;
    json(StatusCode::OK, &ItemsBody { items: history.into_iter().map(MemberChangeBody::from).collect() })
}

/// Compares what the replicas of all groups have applied. Every node reads all that it has stored. For administrators.
#[utoipa::path(
    get, path = "/api/v1/cluster/digests", tag = "cluster",
    responses((status = 200, description = "The digests.", body = DigestsBody))
)]
pub(super) async fn digests(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
) -> Result<Response, Failure> {
    json(StatusCode::OK, &DigestsBody::from(context.orchestrator.digests(&principal).await?))
}

/// Makes a token with which a node joins. For administrators.
#[utoipa::path(
    post, path = "/api/v1/cluster/tokens", tag = "cluster", request_body = TokenRequest,
    responses((status = 201, description = "The token; it is shown once.", body = JoinTokenBody))
)]
pub(super) async fn create_token(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    JsonBody(request, _): JsonBody<TokenRequest, ManageCluster, TOKEN_BODY>,
) -> Result<Response, Failure> {
    let uses = request.uses.unwrap_or(TokenUseName::Single).into();
    let valid_for = Duration::from_secs(request.valid_for_seconds.unwrap_or(DEFAULT_VALIDITY));
    let role = request.role.unwrap_or(MemberRoleName::Full).into();
    let token = context.orchestrator.create_join_token(&principal, uses, role, valid_for).await?;
    json(StatusCode::CREATED, &JoinTokenBody::from(token))
}

/// Lists the join tokens that may still be used or have expired less than a day ago, the newest first, without their secrets.
/// For administrators.
#[utoipa::path(
    get, path = "/api/v1/cluster/tokens", tag = "cluster",
    responses((status = 200, description = "The tokens.", body = ItemsBody<JoinTokenInfoBody>))
)]
pub(super) async fn tokens(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
) -> Result<Response, Failure> {
    let tokens = context.orchestrator.join_tokens(&principal)?;
    json(StatusCode::OK, &ItemsBody { items: tokens.into_iter().map(JoinTokenInfoBody::from).collect() })
}

/// Withdraws a join token; whoever has joined with it stays. For administrators.
#[utoipa::path(
    delete, path = "/api/v1/cluster/tokens/{id}", tag = "cluster",
    params(("id" = String, Path, description = "The token's id.")),
    responses((status = 204, description = "It lets nobody in any more."))
)]
pub(super) async fn revoke_token(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    PathText(id): PathText,
) -> Result<StatusCode, Failure> {
    context.orchestrator.revoke_join_token(&principal, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether what was signed before is to be refused at once.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct RotateQuery {
    /// The new keys sign at once, and nothing that was signed before is good any more.
    #[param(default = false)]
    now: Option<bool>,
}

/// Whether the authority before is to be trusted no longer.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct RotateCaQuery {
    /// The new authority signs at once, and no certificate of the one before is good any more.
    #[param(default = false)]
    now: Option<bool>,
}

/// Begins to replace the keys that sign messages and tokens. For administrators.
#[utoipa::path(
    post, path = "/api/v1/cluster/rotate-keys", tag = "cluster", params(RotateQuery),
    responses((status = 202, description = "The new keys are on their way.", body = ItemsBody<KeyRotationBody>))
)]
pub(super) async fn rotate_keys(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    QueryOf(query): QueryOf<RotateQuery>,
) -> Result<Response, Failure> {
    let begun = context.orchestrator.rotate_keys(&principal, query.now.unwrap_or(false)).await?;
    json(StatusCode::ACCEPTED, &ItemsBody { items: begun.into_iter().map(KeyRotationBody::from).collect() })
}

/// Begins to replace the certificate authority of the cluster. Each node goes by it once every member trusts it, and the one before is
/// trusted as long as the answer says: clients need the certificate of the new one until then. For administrators.
#[utoipa::path(
    post, path = "/api/v1/cluster/rotate-ca", tag = "cluster", params(RotateCaQuery),
    responses((status = 202, description = "The new authority is on its way.", body = KeyRotationBody))
)]
pub(super) async fn rotate_ca(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    QueryOf(query): QueryOf<RotateCaQuery>,
) -> Result<Response, Failure> {
    let begun = context.orchestrator.rotate_authority(&principal, query.now.unwrap_or(false)).await?;
    json(StatusCode::ACCEPTED, &KeyRotationBody::from(begun))
}

/// Moves everything off a node; it stays connected. For administrators.
#[utoipa::path(
    post, path = "/api/v1/cluster/members/{node}/drain", tag = "cluster",
    params(("node" = String, Path, description = "The node's name, its id or a unique beginning of it.")),
    responses((status = 200, description = "The node after the command.", body = MemberBody))
)]
pub(super) async fn drain(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    PathText(node): PathText,
) -> Result<Response, Failure> {
    json(StatusCode::OK, &MemberBody::from(context.orchestrator.drain(&principal, &node, true).await?))
}

/// Lets a drained node take part again. For administrators.
#[utoipa::path(
    post, path = "/api/v1/cluster/members/{node}/resume", tag = "cluster",
    params(("node" = String, Path, description = "The node's name, its id or a unique beginning of it.")),
    responses((status = 200, description = "The node after the command.", body = MemberBody))
)]
pub(super) async fn resume(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    PathText(node): PathText,
) -> Result<Response, Failure> {
    json(StatusCode::OK, &MemberBody::from(context.orchestrator.drain(&principal, &node, false).await?))
}

/// Removes a node once everything is moved off it. For administrators.
#[utoipa::path(
    delete, path = "/api/v1/cluster/members/{node}", tag = "cluster",
    params(("node" = String, Path, description = "The node's name, its id or a unique beginning of it."), RemoveQuery),
    responses((status = 200, description = "The node as it leaves.", body = MemberBody))
)]
pub(super) async fn remove(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
    PathText(node): PathText,
    QueryOf(query): QueryOf<RemoveQuery>,
) -> Result<Response, Failure> {
    let force = query.force.unwrap_or(false);
    if query.stolen.unwrap_or(false) {
        let removed = context.orchestrator.remove_stolen(&principal, &node).await?;
        return json(StatusCode::OK, &MemberBody::from(removed));
    }
    json(StatusCode::OK, &MemberBody::from(context.orchestrator.remove_member(&principal, &node, force).await?))
}

/// Tells how many shards are moving or have yet to, and has the answering node look at once. The cluster brings shards to
/// where they belong by itself, a few at a time. For administrators.
#[utoipa::path(
    post, path = "/api/v1/cluster/rebalance", tag = "cluster",
    responses((status = 200, description = "How many shards are moving or have yet to.", body = RebalancedBody))
)]
pub(super) async fn rebalance(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
) -> Result<Response, Failure> {
    let moves = context.orchestrator.rebalance(&principal).await?;
    json(StatusCode::OK, &RebalancedBody { moves })
}

/// Makes the answering node the only voter of every group whose quorum is lost for good. What only the lost nodes knew is
/// lost, and they are taken out of the cluster. For administrators.
#[utoipa::path(
    post, path = "/api/v1/cluster/recover", tag = "cluster",
    responses((status = 200, description = "What was recovered, and without whom.", body = RecoveredBody))
)]
pub(super) async fn recover(
    State(context): State<Arc<Context>>,
    Caller(principal): Caller,
) -> Result<Response, Failure> {
    let RecoveryView { shards, control, lost } = context.orchestrator.recover(&principal).await?;
    let shards = shards.into_iter().map(|shard| shard.0).collect();
    json(StatusCode::OK, &RecoveredBody { shards, control_group: control, lost })
}
