//! The other ports, as far as an agent can see them.

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use octopussy_core::agent::{AgentSpec, Budget, Intelligence, Period, Usage};
use octopussy_core::ids::{AgentId, BlobId, PartyId, TaskId};
use octopussy_core::message::{KeyId, Keyring, Message, MessageDraft, SigningKey, VerifyError};
use octopussy_core::ports::*;
use octopussy_core::problem::Problem;
use octopussy_core::task::{TaskContent, TaskRecord};
use octopussy_core::time::{Clock, Timestamp};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

pub(super) struct FakeClock(pub(super) AtomicU64);

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// The blobs, and whether a node that may have others is away.
#[derive(Default)]
pub(super) struct FakeBlobs(pub(super) Mutex<HashMap<BlobId, Bytes>>, pub(super) AtomicBool);

#[async_trait]
impl BlobPort for FakeBlobs {
    async fn put(&self, content: Bytes) -> Result<BlobId, BlobError> {
        let id = BlobId::of(&content);
        self.0.lock().insert(id, content);
        Ok(id)
    }
    async fn get(&self, id: BlobId) -> Result<Option<Bytes>, BlobError> {
        if self.1.load(Ordering::SeqCst) {
            return Err(BlobError::Io(std::io::Error::other("a node that may have it is not connected")));
        }
        Ok(self.0.lock().get(&id).cloned())
    }
}

#[derive(Default)]
pub(super) struct FakeObservability {
    pub(super) audits: Mutex<Vec<AuditEvent>>,
    pub(super) rejected: Mutex<Vec<&'static str>>,
}

impl ObservabilityPort for FakeObservability {
    fn count(&self, metric: Metric, label: &'static str, _: u64) {
        if metric == Metric::MessagesRejected {
            self.rejected.lock().push(label);
        }
    }
    fn gauge(&self, _: Metric, _: i64) {}
    fn observe(&self, _: Metric, _: &'static str, _: f64) {}
    fn audit(&self, event: AuditEvent) {
        self.audits.lock().push(event);
    }
    fn audit_durably(&self, _: AuditEvent) -> futures::future::BoxFuture<'static, Result<(), AuditError>> {
        Box::pin(std::future::ready(Ok(())))
    }
    fn render(&self) -> String {
        String::new()
    }
}

pub(super) fn keyring() -> Keyring {
    Keyring::new(SigningKey::new(KeyId(1), [9; 32]))
}

pub(super) struct FakeSecurity(pub(super) parking_lot::RwLock<Keyring>);

impl SecurityPort for FakeSecurity {
    fn authenticate(&self, _: &str) -> Result<Principal, AuthError> {
        Err(AuthError::Invalid)
    }
    fn authorize(&self, _: &Principal, _: Action) -> bool {
        false
    }
    fn is_good(&self, _: &Principal) -> bool {
        false
    }
    fn issue_token(&self, _: &str, _: PrincipalRole, _: Duration) -> Option<IssuedToken> {
        None
    }
    fn is_current(&self, _: &str) -> bool {
        true
    }
    fn scan_prompt(&self, text: &str) -> ScanVerdict {
        if text.contains("ignore all") { ScanVerdict::Injection { rule: "override" } } else { ScanVerdict::Clean }
    }
    fn validate_output(&self, text: &str) -> GuardrailVerdict {
        if text.contains("sk-secret") {
            GuardrailVerdict::Redacted { text: text.replace("sk-secret", "[secret]"), rules: vec!["api_key"] }
        } else {
            GuardrailVerdict::Pass
        }
    }
    fn sign(&self, draft: MessageDraft) -> Message {
        self.0.read().sign(draft)
    }
    fn verify(&self, message: &Message) -> Result<(), VerifyError> {
        self.0.read().verify(message)
    }
}

#[derive(Default)]
pub(super) struct FakeMessaging {
    pub(super) events: Mutex<Vec<(AgentId, Option<TaskId>, EventKind)>>,
    pub(super) host: Mutex<Option<Arc<dyn AgentHost>>>,
    pub(super) submitted: Mutex<Vec<Submission>>,
}

#[async_trait]
impl MessagingPort for FakeMessaging {
    async fn submit(&self, submission: Submission) -> Result<(Arc<TaskRecord>, bool), Problem> {
        self.submitted.lock().push(submission);
        Err(Problem::new(octopussy_core::problem::Code::NotReady, "only noted"))
    }
    async fn control(&self, _: Message) -> Result<(), Problem> {
        Ok(())
    }
    fn attach(&self, host: Arc<dyn AgentHost>) {
        *self.host.lock() = Some(host);
    }
    fn publish(&self, agent: AgentId, task: Option<TaskId>, kind: EventKind) {
        self.events.lock().push((agent, task, kind));
    }
    fn is_watched(&self, _: AgentId, _: TaskId) -> bool {
        true
    }
    fn attach_lifecycle(&self, _: Arc<dyn AgentLifecyclePort>) {}
    async fn live(&self, _: &[AgentId]) -> Vec<AgentLive> {
        Vec::new()
    }
    async fn subscribe(&self, topic: Topic, after: Option<EventId>) -> Result<Subscription, Problem> {
        self.subscribe_here(topic, after)
    }
    fn subscribe_here(&self, _: Topic, _: Option<EventId>) -> Result<Subscription, Problem> {
        Ok(futures::stream::empty().boxed())
    }
    async fn dead_letters(&self, _: Option<TaskId>, _: usize) -> Result<Page<Arc<TaskRecord>>, Problem> {
        Ok(Page { items: Vec::new(), more: false })
    }
    async fn dead_letter_count(&self) -> Result<u64, Problem> {
        Ok(0)
    }
    async fn replay(&self, task: TaskId, _: PartyId) -> Result<Arc<TaskRecord>, Problem> {
        Err(Problem::new(octopussy_core::problem::Code::UnknownTask, task.to_string()))
    }
    async fn discard(&self, _: TaskId) -> Result<(), Problem> {
        Ok(())
    }
    fn sign(&self, draft: MessageDraft) -> Message {
        keyring().sign(draft)
    }
}

/// What the model does when it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Answer,
    /// Answers once the mood is another.
    Ponder,
    Hang,
    Panic,
    Unavailable,
    Reject,
    /// Asks to come back in 50 ms, and then answers.
    ComeBack,
    /// Asks to come back in an hour.
    ComeBackLate,
}

pub(super) struct FakeModel {
    pub(super) mood: Mutex<Mood>,
    pub(super) asked: Mutex<Vec<String>>,
    pub(super) running: Arc<AtomicU64>,
}

/// Counts a call as running until it is dropped.
struct Running(Arc<AtomicU64>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl LlmPort for FakeModel {
    fn name(&self) -> &str {
        "fake"
    }
    async fn complete(&self, request: &ChatRequest, tokens: TokenSink<'_>) -> Result<Completion, LlmError> {
        self.running.fetch_add(1, Ordering::SeqCst);
        let _running = Running(Arc::clone(&self.running));
        let asked = request.turns.last().map(|turn| turn.text.clone()).unwrap_or_default();
        self.asked.lock().push(asked.clone());
        while *self.mood.lock() == Mood::Ponder {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let mood = *self.mood.lock();
        match mood {
            Mood::Answer | Mood::Ponder => {
                tokens("tok");
                let usage = Usage { prompt_tokens: 1, completion_tokens: 2, cost_micros: 3 };
                Ok(Completion { text: format!("re: {asked}"), by: "fake/1".to_owned(), usage })
            }
            Mood::Hang => std::future::pending().await,
            Mood::Panic => panic!("the model blew up"),
            Mood::Unavailable => Err(LlmError::Unavailable { provider: "fake".to_owned(), detail: "down".to_owned() }),
            Mood::ComeBack => {
                *self.mood.lock() = Mood::Answer;
                let retry_after = Some(Duration::from_millis(50));
                Err(LlmError::RateLimited { provider: "fake".to_owned(), retry_after })
            }
            Mood::ComeBackLate => Err(LlmError::Resting {
                provider: "fake".to_owned(),
                reason: "it asked for that".to_owned(),
                wait: Duration::from_secs(3_600),
            }),
            Mood::Reject => Err(LlmError::Rejected { provider: "fake".to_owned(), detail: "no".to_owned() }),
        }
    }
}

pub(super) struct FakeRouter(pub(super) Arc<FakeModel>);

#[async_trait]
impl LlmRouterPort for FakeRouter {
    fn resolve(&self, _: &Intelligence) -> Result<Arc<dyn LlmPort>, LlmError> {
        Ok(Arc::clone(&self.0) as _)
    }
    async fn reload(&self) -> Result<(), LlmError> {
        Ok(())
    }
    fn providers(&self) -> Vec<ProviderStatus> {
        Vec::new()
    }
}

#[derive(Default)]
pub(super) struct FakeBudget(pub(super) AtomicBool);

#[async_trait]
impl TokenBudgetPort for FakeBudget {
    fn check(&self, _: AgentId, _: &Budget) -> BudgetVerdict {
        if self.0.load(Ordering::SeqCst) {
            BudgetVerdict::Exhausted { period: Period::Hour, detail: "10 of 10 tokens this hour".to_owned() }
        } else {
            BudgetVerdict::Within
        }
    }
    async fn record(&self, _: AgentId, _: Usage) -> Result<(), Problem> {
        Ok(())
    }
    async fn report(&self, _: AgentId, _: &Budget) -> Result<BudgetReport, Problem> {
        Err(Problem::new(octopussy_core::problem::Code::Internal, "not asked for"))
    }
    async fn reset(&self, _: AgentId) -> Result<(), Problem> {
        Ok(())
    }
}

/// Renders the input with the names of what came before it.
pub(super) struct FakePrompt;

impl PromptPort for FakePrompt {
    fn render(&self, input: &PromptInput<'_>) -> Result<ChatRequest, PromptError> {
        let earlier: Vec<_> = input.earlier.iter().map(|(name, _)| name.as_str()).collect();
        let memory: Vec<_> = input.memory.iter().map(|(_, text)| text.as_str()).collect();
        let passages: Vec<_> = input.passages.iter().map(|passage| passage.text.as_str()).collect();
        let text = format!(
            "{:?} {} after [{}] with [{}] knowing [{}]",
            input.intent,
            input.content.input,
            earlier.join(","),
            memory.join(","),
            passages.join(",")
        );
        Ok(ChatRequest {
            model: None,
            system: String::new(),
            passages: Vec::new(),
            earlier: Vec::new(),
            constraints: Vec::new(),
            turns: vec![ChatTurn { role: Role::User, text }],
            intent: input.intent,
            temperature: 0.0,
            max_tokens: 10,
            json: false,
            timeout: input.spec.call_timeout(),
            key: None,
            trace: None,
        })
    }
    fn select_passages(&self, question: &str, documents: &[(String, Arc<str>)], top_k: usize) -> Vec<Passage> {
        let fitting = documents.iter().filter(|(_, text)| text.contains(question));
        fitting
            .take(top_k)
            .map(|(name, text)| Passage { source: name.clone(), line: 1, text: text.to_string(), suspicious: false })
            .collect()
    }
    fn list(&self) -> Vec<String> {
        Vec::new()
    }
    fn validate(&self, _: &str, _: &str) -> Result<(), PromptError> {
        Ok(())
    }
}

/// The text of a task.
pub(super) fn content(input: &str) -> TaskContent {
    TaskContent { input: input.to_owned(), documents: Vec::new(), history: Vec::new(), constraints: Vec::new() }
}

pub(super) fn spec(name: &str) -> AgentSpec {
    let bundle = AgentBundle {
        files: [
            ("agent.yaml", format!("name: {name}\n")),
            ("persona.md", "p".to_owned()),
            ("goal.md", "g".to_owned()),
            ("permissions.md", "n".to_owned()),
        ]
        .into_iter()
        .map(|(path, text)| BundleFile { path: path.to_owned(), text })
        .collect(),
    };
    crate::agent_factory::essence::validate(&bundle).expect("valid").spec
}
