//! A capability behind one trait object for each phase. Each consumes the one before it, so none can be skipped or passed twice.

use super::{
    Capability, Deadline, InitializeError, MissingPort, PortTable, Provides, Requires, Running, StartContext,
    StartError, StopError, Wired,
};
use futures::future::BoxFuture;

/// Phase one: the configuration is there.
pub(super) trait Instantiated: Send {
    fn initialize(self: Box<Self>) -> Result<Box<dyn Initialized>, InitializeError>;
}

/// Phase two: it has set itself up, without any port.
pub(super) trait Initialized: Send {
    fn inject(self: Box<Self>, table: &PortTable) -> Result<Box<dyn Injected>, MissingPort>;
}

/// Phase three: it holds its ports.
pub(super) trait Injected: Send {
    fn start(self: Box<Self>, cx: StartContext) -> BoxFuture<'static, Result<Started, StartError>>;
}

/// Phase four is over: what it gives, and what runs.
pub(super) struct Started {
    pub(super) provisions: Box<dyn Provisions>,
    pub(super) running: Box<dyn Supervised>,
}

/// What a started capability gives.
pub(super) trait Provisions: Send {
    fn publish(self: Box<Self>, table: &mut PortTable);
}

/// Phases five and six.
pub(super) trait Supervised: Send {
    fn failed(&mut self) -> BoxFuture<'_, String>;
    fn stop(&mut self, by: Deadline) -> BoxFuture<'_, Result<(), StopError>>;
    fn cleanup(self: Box<Self>) -> BoxFuture<'static, ()>;
}

/// A capability as it is registered.
pub(super) fn instantiate<C: Capability>(config: C::Config) -> Box<dyn Instantiated> {
    Box::new(Configured::<C>(config))
}

struct Configured<C: Capability>(C::Config);

impl<C: Capability> Instantiated for Configured<C> {
    fn initialize(self: Box<Self>) -> Result<Box<dyn Initialized>, InitializeError> {
        Ok(Box::new(Prepared(C::initialize(self.0)?)))
    }
}

struct Prepared<C>(C);

impl<C: Capability> Initialized for Prepared<C> {
    fn inject(self: Box<Self>, table: &PortTable) -> Result<Box<dyn Injected>, MissingPort> {
        let ports = C::Requires::resolve(table)?;
        Ok(Box::new(Wired { inner: self.0, ports }))
    }
}

impl<C: Capability> Injected for Wired<C> {
    fn start(self: Box<Self>, cx: StartContext) -> BoxFuture<'static, Result<Started, StartError>> {
        Box::pin(async move {
            let (provisions, running) = C::start(*self, cx).await?;
            Ok(Started { provisions: Box::new(provisions), running: Box::new(running) })
        })
    }
}

impl<P: Provides> Provisions for P {
    fn publish(self: Box<Self>, table: &mut PortTable) {
        (*self).publish(table);
    }
}

impl<R: Running> Supervised for R {
    fn failed(&mut self) -> BoxFuture<'_, String> {
        Box::pin(Running::failed(self))
    }

    fn stop(&mut self, by: Deadline) -> BoxFuture<'_, Result<(), StopError>> {
        Box::pin(Running::stop(self, by))
    }

    fn cleanup(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(Running::cleanup(*self))
    }
}
