//! Capabilities that do what a test tells them and write down what happened to them.

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt as _};
use octopussy_core::capability::CapabilityId;
use octopussy_core::contract::{Contract, Envelope, PortId};
use octopussy_core::ports::{
    AuditError, AuditEvent, ConfigurationError, ConfigurationPort, Metric, ObservabilityPort, Reloaded, SecretError,
    SecretName, SecretValue, SecretsPort,
};
use octopussy_core::time::{Clock, Timestamp};
use octopussy_lifecycle::{
    Capability, Deadline, Host, InitializeError, Open, Registry, RegistryError, Running, StartContext, StartError,
    StopError, Wired, provides, requires,
};
use serde_json::Value;
use std::future::pending;
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

/// What happened, in order.
#[derive(Clone, Default)]
pub(crate) struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    pub(crate) fn write(&self, capability: CapabilityId, what: &str) {
        self.0.lock().unwrap().push(format!("{capability} {what}"));
    }

    /// Takes what has been written so far.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// How a phase goes.
#[derive(Default, Clone, Copy, PartialEq)]
pub(crate) enum Way {
    #[default]
    Well,
    Fails,
    Panics,
    Hangs,
    /// Blocks the thread until the channel of the script closes.
    Blocks,
}

/// What a capability does.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) diary: Diary,
    pub(crate) initialize: Way,
    pub(crate) start: Way,
    pub(crate) stop: Way,
    pub(crate) cleanup: Way,
    /// Its death while it serves: it dies with the text that is sent.
    pub(crate) dies: Option<oneshot::Receiver<String>>,
    pub(crate) blocks_until: Option<std::sync::mpsc::Receiver<()>>,
}

impl Script {
    pub(crate) fn new(diary: &Diary) -> Self {
        Self { diary: diary.clone(), ..Self::default() }
    }
}

/// The body of every test capability.
pub(crate) struct Actor {
    id: CapabilityId,
    script: Script,
}

impl Actor {
    fn initialize(id: CapabilityId, script: Script) -> Result<Self, InitializeError> {
        script.diary.write(id, "initialize");
        match script.initialize {
            Way::Well | Way::Hangs | Way::Blocks => Ok(Self { id, script }),
            Way::Fails => Err(InitializeError("the section does not fit".into())),
            Way::Panics => panic!("initialize broke"),
        }
    }

    async fn start(self) -> Result<Self, StartError> {
        self.script.diary.write(self.id, "start");
        match self.script.start {
            Way::Well | Way::Blocks => Ok(self),
            Way::Fails => Err(StartError::because("the file cannot be opened", std::io::Error::other("disk on fire"))),
            Way::Panics => panic!("start broke"),
            Way::Hangs => pending().await,
        }
    }
}

impl Running for Actor {
    async fn failed(&mut self) -> String {
        match &mut self.script.dies {
            Some(death) => match death.await {
                Ok(reason) => reason,
                Err(_) => pending().await,
            },
            None => pending().await,
        }
    }

    async fn stop(&mut self, _: Deadline) -> Result<(), StopError> {
        self.script.diary.write(self.id, "stop");
        match self.script.stop {
            Way::Well => Ok(()),
            Way::Fails => Err(StopError("work was left".into())),
            Way::Panics => panic!("stop broke"),
            Way::Hangs => pending().await,
            Way::Blocks => {
                let _ = self.script.blocks_until.take().unwrap().recv();
                Ok(())
            }
        }
    }

    async fn cleanup(self) {
        self.script.diary.write(self.id, "cleanup");
        match self.script.cleanup {
            Way::Well | Way::Fails | Way::Blocks => {}
            Way::Panics => panic!("cleanup broke"),
            Way::Hangs => pending().await,
        }
    }
}

/// Answers every port there is with nothing.
pub(crate) struct Fake;

#[async_trait]
impl SecretsPort for Fake {
    async fn get(&self, name: &SecretName) -> Result<SecretValue, SecretError> {
        Err(SecretError::Unknown(name.clone()))
    }
    async fn set(&self, _: &SecretName, _: SecretValue) -> Result<(), SecretError> {
        Ok(())
    }
    async fn get_or_generate(&self, name: &SecretName) -> Result<SecretValue, SecretError> {
        SecretsPort::get(self, name).await
    }
    async fn delete(&self, _: &SecretName) -> Result<(), SecretError> {
        Ok(())
    }
    async fn list(&self) -> Result<Vec<SecretName>, SecretError> {
        Ok(vec![])
    }
    fn derived_key(&self, _: &str) -> zeroize::Zeroizing<[u8; 32]> {
        zeroize::Zeroizing::new([0; 32])
    }
    fn rotations(&self) -> BoxStream<'static, SecretName> {
        futures::stream::empty().boxed()
    }
}

#[async_trait]
impl ConfigurationPort for Fake {
    async fn get(&self, _: &str) -> Option<Value> {
        None
    }
    fn section(&self, _: &str) -> Value {
        Value::Null
    }
    async fn reload(&self) -> Result<Reloaded, ConfigurationError> {
        Ok(Reloaded { sections: vec![] })
    }
    fn subscribe(&self) -> BoxStream<'static, Reloaded> {
        futures::stream::empty().boxed()
    }
}

impl ObservabilityPort for Fake {
    fn count(&self, _: Metric, _: &'static str, _: u64) {}
    fn gauge(&self, _: Metric, _: i64) {}
    fn observe(&self, _: Metric, _: &'static str, _: f64) {}
    fn audit(&self, _: AuditEvent) {}
    fn audit_durably(&self, _: AuditEvent) -> futures::future::BoxFuture<'static, Result<(), AuditError>> {
        Box::pin(std::future::ready(Ok(())))
    }
    fn render(&self) -> String {
        "measured".into()
    }
}

impl Clock for Fake {
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH
    }
}

/// A contract of the first version.
pub(crate) const fn contract(id: CapabilityId, requires: &'static [PortId], provides: &'static [PortId]) -> Contract {
    Contract { id, provides, requires, protocols: &[], envelope: Envelope::initial() }
}

requires! { pub(crate) struct Nothing {} }
requires! { pub(crate) struct NeedsSecrets { pub(crate) secrets: dyn SecretsPort } }
requires! { pub(crate) struct NeedsBoth { pub(crate) secrets: dyn SecretsPort, pub(crate) configuration: dyn ConfigurationPort } }
requires! { pub(crate) struct NeedsMetrics { pub(crate) configuration: dyn ConfigurationPort, pub(crate) observability: dyn ObservabilityPort } }
provides! { pub(crate) struct GivesNothing {} }
provides! { pub(crate) struct GivesSecrets { pub(crate) secrets: dyn SecretsPort } }
provides! { pub(crate) struct GivesConfiguration { pub(crate) configuration: dyn ConfigurationPort } }
provides! { pub(crate) struct GivesObservability { pub(crate) observability: dyn ObservabilityPort } }

macro_rules! capability {
    ($name:ident, $id:ident, $needs:ty, [$($needed:ident)*], $gives:ty, [$($given:ident)*], $started:expr) => {
        pub(crate) struct $name(Actor);

        impl Capability for $name {
            const CONTRACT: &'static Contract =
                &contract(CapabilityId::$id, &[$(PortId::$needed),*], &[$(PortId::$given),*]);
            type Config = Script;
            type Requires = $needs;
            type Provides = $gives;
            type Running = Actor;

            fn initialize(script: Script) -> Result<Self, InitializeError> {
                Actor::initialize(CapabilityId::$id, script).map(Self)
            }

            async fn start(wired: Wired<Self>, _: StartContext) -> Result<($gives, Actor), StartError> {
                let actor = wired.inner.0.start().await?;
                let gives: fn(&$needs, &Actor) -> $gives = $started;
                Ok((gives(&wired.ports, &actor), actor))
            }
        }
    };
}

capability!(Secrets, Secrets, Nothing, [], GivesSecrets, [Secrets], |_, _| GivesSecrets { secrets: Arc::new(Fake) });
capability!(Configuration, Configuration, NeedsSecrets, [Secrets], GivesConfiguration, [Configuration], |_, _| {
    GivesConfiguration { configuration: Arc::new(Fake) }
});
capability!(
    Observability,
    Observability,
    NeedsBoth,
    [Secrets Configuration],
    GivesObservability,
    [Observability],
    |_, _| GivesObservability { observability: Arc::new(Fake) }
);
// Writes down whether its measurements arrive anywhere.
capability!(TokenBudget, TokenBudget, NeedsMetrics, [Configuration Observability], GivesNothing, [], |ports, actor| {
    let measured = ports.observability.render() == "measured";
    actor.script.diary.write(actor.id, if measured { "is measured" } else { "is not measured" });
    GivesNothing {}
});

/// What the four test capabilities do.
pub(crate) struct Scripts {
    pub(crate) secrets: Script,
    pub(crate) configuration: Script,
    pub(crate) observability: Script,
    pub(crate) token_budget: Script,
}

impl Scripts {
    /// All goes well.
    pub(crate) fn new(diary: &Diary) -> Self {
        let script = || Script::new(diary);
        Self { secrets: script(), configuration: script(), observability: script(), token_budget: script() }
    }

    /// Registers all four, the last one first, because the order of registration must not matter.
    pub(crate) fn register(self) -> Result<Registry<Open>, RegistryError> {
        Registry::new()
            .register::<TokenBudget>(self.token_budget)?
            .register::<Observability>(self.observability)?
            .register::<Configuration>(self.configuration)?
            .register::<Secrets>(self.secrets)
    }
}

/// A host with the usual limits.
pub(crate) fn host() -> Host {
    Host::new(Arc::new(Fake), "/nowhere".into())
}

#[async_trait]
impl octopussy_core::ports::BlobPort for Fake {
    async fn put(
        &self,
        content: bytes::Bytes,
    ) -> Result<octopussy_core::ids::BlobId, octopussy_core::ports::BlobError> {
        Ok(octopussy_core::ids::BlobId::of(&content))
    }
    async fn get(
        &self,
        _: octopussy_core::ids::BlobId,
    ) -> Result<Option<bytes::Bytes>, octopussy_core::ports::BlobError> {
        Ok(None)
    }
}
