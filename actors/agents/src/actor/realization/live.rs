//! Live messages: the inbox's way in, and the signed result's way out.

use super::host::Host;
use super::run_task::RunTask;
use super::shared::AgentShared;
use crate::actor::essence::{Checks, Verdict, inbound};
use octopussy_core::ids::{AgentId, MessageId};
use octopussy_core::message::{DEFAULT_TTL, Message, MessageDraft, MessageType, Payload, VerifyError};
use octopussy_core::ports::{AuditEvent, AuditOutcome, BudgetVerdict, ControlCommand, Metric, ScanVerdict, Submission};
use octopussy_core::problem::{Code, Problem};
use octopussy_core::task::{MAX_ATTEMPTS, TaskContent};
use octopussy_core::time::Timestamp;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tracing::{debug, warn};
use uuid::Uuid;

/// The payload of a RESULT message.
#[derive(Serialize)]
struct ResultPayload<'a> {
    text: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    redacted: &'a [&'static str],
}

impl RunTask {
    /// The signed result; otherwise why there can be none.
    pub(super) fn result(&self, text: &str, redacted: &[&'static str]) -> Result<Message, String> {
        let payload = Payload::from_value(&ResultPayload { text, redacted })
            .map_err(|error| format!("the answer cannot be sent: {error}"))?;
        Ok(self.host.ports.security.sign(MessageDraft {
            message_id: MessageId::from_uuid(Uuid::now_v7()),
            sender_id: self.shared.id.into(),
            recipient_id: self.task.sender,
            message_type: MessageType::Result,
            payload,
            priority: self.task.priority,
            trace_id: self.task.message.trace_id(),
            created_at: self.host.clock.now(),
            ttl: DEFAULT_TTL,
        }))
    }
}

/// The inbound chain's checks for a live message. The budget is asked when its task is begun, not before.
struct LiveChecks<'a> {
    host: &'a Host,
    message: &'a Message,
    now: Timestamp,
    content: Option<TaskContent>,
}

impl Checks for LiveChecks<'_> {
    fn signature(&mut self) -> Result<(), VerifyError> {
        self.host.ports.security.verify(self.message)
    }

    fn is_expired(&mut self) -> bool {
        self.message.is_expired(self.now)
    }

    fn is_control(&mut self) -> bool {
        self.message.message_type() == MessageType::Control
    }

    fn read(&mut self) -> Result<(), String> {
        if self.message.message_type() == MessageType::Task {
            let content =
                self.message.payload().parse().map_err(|error| format!("the task's payload does not read: {error}"))?;
            self.content = Some(content);
        }
        Ok(())
    }

    fn scan(&mut self) -> ScanVerdict {
        self.content.as_ref().map_or(ScanVerdict::Clean, |content| self.host.scan(content))
    }

    fn budget(&mut self) -> BudgetVerdict {
        BudgetVerdict::Within
    }
}

impl Host {
    /// Takes a live message through the chain and the replay window. Counts and audits what it rejects.
    fn admit(&self, message: &Message) -> Result<(), Problem> {
        let now = self.clock.now();
        let verdict = inbound(&mut LiveChecks { host: self, message, now, content: None });
        let label = verdict.rejection();
        let refused = match verdict {
            Verdict::Process | Verdict::Control => match self.replay.lock().admit(message, now) {
                Ok(()) => return Ok(()),
                Err(replayed) => {
                    self.ports.observability.count(Metric::MessagesRejected, "replayed", 1);
                    self.audit_message(message, "message.replay", &replayed.to_string());
                    return Err(Problem::new(Code::Forbidden, replayed.to_string()));
                }
            },
            Verdict::BadSignature(error) => {
                self.audit_message(message, "message.verify", &error.to_string());
                Problem::new(Code::Forbidden, error.to_string())
            }
            Verdict::UnknownKey(key) => Problem::new(
                Code::NotReady,
                format!("key {key}, which signed the message, has not reached this node yet"),
            )
            .retry_after(std::time::Duration::from_secs(1)),
            Verdict::Expired => {
                warn!(message.id = %message.message_id(), "a live message expired");
                Problem::new(Code::Unprocessable, "the message's time to live has passed")
            }
            Verdict::Quarantined { rule } => {
                self.audit_message(message, "message.scan", rule);
                Problem::new(Code::Unprocessable, format!("the injection scan found '{rule}'"))
            }
            Verdict::Unreadable(detail) => Problem::new(Code::BadRequest, detail),
            Verdict::BudgetExhausted { detail, .. } => Problem::new(Code::Overloaded, detail),
        };
        if let Some(label) = label {
            self.ports.observability.count(Metric::MessagesRejected, label, 1);
        }
        Err(refused)
    }

    /// Puts a message into its recipient's inbox.
    pub(crate) fn enqueue(self: &Arc<Self>, message: Message) -> Result<(), Problem> {
        let shared = self.activate(message.recipient_id().into())?;
        shared.inbox.lock().push(message).map_err(|full| {
            Problem::new(Code::MailboxFull, full.to_string()).retry_after(std::time::Duration::from_secs(1))
        })?;
        shared.wake();
        Ok(())
    }

    /// Hands on what is in the inbox: commands each at once, everything else one after another.
    pub(crate) fn deliver_inbox(self: &Arc<Self>, shared: &Arc<AgentShared>) {
        loop {
            let Some(command) = shared.inbox.lock().pop_control() else { break };
            let host = Arc::clone(self);
            tokio::spawn(async move {
                if let Err(problem) = host.control_message(&command).await {
                    debug!(message.id = %command.message_id(), %problem, "a command was not carried out");
                }
            });
        }
        if shared.inbox.lock().is_empty() || shared.delivering.swap(true, Ordering::AcqRel) {
            return;
        }
        let (host, shared) = (Arc::clone(self), Arc::clone(shared));
        tokio::spawn(async move {
            loop {
                let next = shared.inbox.lock().pop();
                let Some(message) = next else { break };
                if let Err(problem) = host.deliver(message).await {
                    debug!(agent.id = %shared.id, %problem, "a live message was not delivered");
                }
            }
            shared.delivering.store(false, Ordering::Release);
            shared.wake();
        });
    }

    async fn deliver(&self, message: Message) -> Result<(), Problem> {
        match message.message_type() {
            MessageType::Control => self.control_message(&message).await,
            MessageType::Task => {
                self.admit(&message)?;
                let key = Arc::from(message.message_id().to_string());
                let submission =
                    Submission { message: Arc::new(message), idempotency: Some((key, 0)), max_attempts: MAX_ATTEMPTS };
                self.ports.messaging.submit(submission).await.map(|_| ())
            }
            MessageType::Result | MessageType::Event => {
                self.admit(&message)?;
                debug!(message.id = %message.message_id(), "news to an agent has no effect in this version");
                Ok(())
            }
        }
    }

    /// Carries out a CONTROL message, once it has passed the chain.
    pub(crate) async fn control_message(&self, message: &Message) -> Result<(), Problem> {
        if message.message_type() != MessageType::Control {
            return Err(Problem::new(Code::BadRequest, "the message is not of type CONTROL"));
        }
        self.admit(message)?;
        let command: ControlCommand = message
            .payload()
            .parse()
            .map_err(|error| Problem::new(Code::BadRequest, format!("the command does not read: {error}")))?;
        self.command(AgentId::from(message.recipient_id()), command).await
    }

    fn audit_message(&self, message: &Message, action: &str, detail: &str) {
        self.ports.observability.audit(AuditEvent {
            action: action.to_owned(),
            actor: message.sender_id().to_string(),
            subject: message.message_id().to_string(),
            outcome: AuditOutcome::Denied,
            detail: detail.to_owned(),
            trace_id: Some(message.trace_id().to_string()),
        });
    }
}
