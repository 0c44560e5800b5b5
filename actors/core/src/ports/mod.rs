//! The ports: one trait a file, each what a capability or the substrate below them offers to others.

mod actor;
mod agent_factory;
mod agent_lifecycle;
mod api_tokens;
mod blobs;
mod cluster;
mod configuration;
mod led_shards;
mod ledger;
mod llm;
mod measures;
mod mesh;
mod mesh_request;
mod messaging;
mod observability;
mod orchestrator;
mod prompt;
mod secrets;
mod security;
mod token_budget;

pub use actor::ActorPort;
pub use agent_factory::{AgentBundle, AgentChange, AgentFactoryPort, BundleFile};
pub use agent_lifecycle::{AgentHealth, AgentLifecyclePort, AgentStatus};
pub use api_tokens::{
    ApiTokenInfo, ApiTokensPort, MAX_API_TOKEN_LIFETIME, MAX_API_TOKEN_NAME, NewApiToken, NoApiTokens,
};
pub use blobs::{BlobError, BlobPort, MAX_BLOB_BYTES};
pub use cluster::{
    ClusterPort, ClusterView, DigestsView, GroupDigestsView, JoinTokenInfo, JoinTokenView, KeyKind, MemberChangeView,
    MemberDesired, MemberRole, MemberView, NewJoinToken, NodeFactsView, Reach, ReachabilityPort, RecoveryView,
    ReplicaDigestView, RotationView, ShardView, TokenUse,
};
pub use configuration::{ConfigurationError, ConfigurationPort, Reloaded};
pub use led_shards::{LedShardsPort, LedgerObserver};
pub use ledger::{AgentQuery, LedgerPort, MAX_COMMAND_BYTES, Page, ProposeError, Room, TaskFilter, TaskQuery};
pub use llm::{
    ChatRequest, ChatTurn, Completion, Intent, LlmError, LlmPort, LlmRouterPort, MAX_COMPLETION_BYTES, Passage,
    ProviderHealth, ProviderStatus, Role, TokenSink,
};
pub use measures::{Measure, MeasureKind, MeasuresPort, NoMeasures};
pub use mesh::{
    FrameHandler, FrameSink, FrameSource, Incarnation, Lane, LaneHandler, MAX_ANSWER_BYTES, MAX_DATAGRAM_BYTES,
    MAX_FRAME_BYTES, MeshError, MeshPort, MeshStream, PeerEvent, PeerObserver, PeerView, StreamHandler, StreamKind,
};
pub use mesh_request::{
    Admission, Door, MeshGuard, MeshRequest, NoGuard, RequestError, RequestKind, decode_request, encode_request,
};
pub use messaging::{
    AgentHost, AgentLive, ControlCommand, Event, EventId, EventKind, MessagingPort, Submission, Subscription, Topic,
};
pub use observability::{AuditError, AuditEvent, AuditOutcome, Metric, NoObservability, ObservabilityPort};
pub use orchestrator::{
    AgentView, CapabilityView, NodeStatus, OrchestratorPort, SubmitTask, SubmittedTask, TaskRequestDocument,
};
pub use prompt::{PromptError, PromptInput, PromptPort};
pub use secrets::{SecretError, SecretName, SecretValue, SecretsPort};
pub use security::{
    Action, Asker, AuthError, GuardrailVerdict, IssuedToken, Principal, PrincipalRole, ScanVerdict, SecurityPort,
};
pub use token_budget::{BudgetReport, BudgetVerdict, PeriodReport, TokenBudgetPort};
