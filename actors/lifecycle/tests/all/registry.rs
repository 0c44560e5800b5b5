//! What a registry refuses before anything starts.

use crate::capabilities::{
    Configuration, Diary, Fake, GivesNothing, Nothing, Observability, Script, Secrets, contract,
};
use octopussy_core::capability::CapabilityId as Id;
use octopussy_core::contract::{Contract, PortId};
use octopussy_core::ports::{BlobPort, ConfigurationPort, ObservabilityPort, TokenBudgetPort};
use octopussy_core::time::Clock;
use octopussy_lifecycle::essence::Mismatch;
use octopussy_lifecycle::{
    Capability, Deadline, InitializeError, Open, Registry, RegistryError, Running, StartContext, StartError, StopError,
    Wired, provides, requires,
};
use std::sync::Arc;

fn script() -> Script {
    Script::new(&Diary::default())
}

fn error<State>(result: Result<Registry<State>, RegistryError>) -> RegistryError {
    match result {
        Ok(_) => panic!("the registry was to refuse this"),
        Err(error) => error,
    }
}

/// Never runs: these capabilities are refused before they could.
pub(crate) struct Never;

impl Running for Never {
    async fn stop(&mut self, _: Deadline) -> Result<(), StopError> {
        Ok(())
    }
    async fn cleanup(self) {}
}

macro_rules! refused {
    ($name:ident, $contract:expr, $needs:ty, $gives:ty) => {
        struct $name;
        impl Capability for $name {
            const CONTRACT: &'static Contract = &$contract;
            type Config = ();
            type Requires = $needs;
            type Provides = $gives;
            type Running = Never;
            fn initialize((): ()) -> Result<Self, InitializeError> {
                Ok(Self)
            }
            async fn start(_: Wired<Self>, _: StartContext) -> Result<($gives, Never), StartError> {
                Err(StartError::new("it was to be refused"))
            }
        }
    };
}

requires! { pub(crate) struct NeedsBudget { pub(crate) budget: dyn TokenBudgetPort } }
requires! { pub(crate) struct NeedsConfiguration { pub(crate) configuration: dyn ConfigurationPort } }
requires! { pub(crate) struct NeedsObservability { pub(crate) observability: dyn ObservabilityPort } }
requires! { pub(crate) struct NeedsSubstrate { pub(crate) clock: dyn Clock, pub(crate) blobs: dyn BlobPort } }
provides! { pub(crate) struct GivesBudget { pub(crate) budget: dyn TokenBudgetPort } }

const BUDGET: &[PortId] = &[PortId::TokenBudget];

refused!(Budget, contract(Id::TokenBudget, &[], BUDGET), Nothing, GivesBudget);
refused!(BudgetOfMessages, contract(Id::TokenBudget, &[PortId::Messaging], BUDGET), NeedsMessaging, GivesBudget);
refused!(Messages, contract(Id::Messaging, BUDGET, &[PortId::Messaging]), NeedsBudget, GivesMessaging);
refused!(LowBudgeter, contract(Id::Messaging, BUDGET, &[]), NeedsBudget, GivesNothing);
refused!(Extravagant, contract(Id::Configuration, &[PortId::Observability], &[]), NeedsObservability, GivesNothing);
refused!(TakesUnlisted, contract(Id::Memory, &[], &[]), NeedsConfiguration, GivesNothing);
refused!(ListsUnused, contract(Id::Memory, &[PortId::Configuration], &[]), Nothing, GivesNothing);
refused!(GivesUnlisted, contract(Id::TokenBudget, &[], &[]), Nothing, GivesBudget);
refused!(ListsUngiven, contract(Id::TokenBudget, &[], BUDGET), Nothing, GivesNothing);
refused!(Thief, contract(Id::Memory, &[], BUDGET), Nothing, GivesBudget);
refused!(Outsider, contract(Id::Secrets, &[PortId::Configuration], &[]), NeedsConfiguration, GivesNothing);
refused!(OnSubstrate, contract(Id::Memory, &[PortId::Clock, PortId::Blobs], &[]), NeedsSubstrate, GivesNothing);

requires! { pub(crate) struct NeedsMessaging { pub(crate) messaging: dyn octopussy_core::ports::MessagingPort } }
provides! { pub(crate) struct GivesMessaging { pub(crate) messaging: dyn octopussy_core::ports::MessagingPort } }

#[test]
fn a_duplicate_is_refused() {
    let twice = Registry::new().register::<Secrets>(script()).unwrap().register::<Secrets>(script());
    assert_eq!(error(twice), RegistryError::Duplicate(Id::Secrets));
}

#[test]
fn a_missing_provider_is_named_with_its_port() {
    let alone = Registry::new().register::<Configuration>(script()).unwrap().seal();
    let unknown = RegistryError::UnknownProvider { capability: Id::Configuration, port: PortId::Secrets };
    assert_eq!(error(alone), unknown);
}

#[test]
fn a_circle_is_refused_at_registration_with_its_path() {
    let first = Registry::new().register::<BudgetOfMessages>(()).unwrap();
    let refused = error(first.register::<Messages>(()));
    assert_eq!(refused.to_string(), "circular requirement: messaging → token_budget → messaging");
}

#[test]
fn an_upward_requirement_is_refused() {
    let refused = Registry::new().register::<Budget>(()).unwrap().register::<LowBudgeter>(()).unwrap().seal();
    let upward = RegistryError::UpwardRequirement { capability: Id::Messaging, provider: Id::TokenBudget };
    assert_eq!(error(refused), upward);
}

fn mismatch<C: Capability<Config = ()>>() -> Mismatch {
    let registered = Registry::new().register::<C>(()).and_then(Registry::<Open>::seal);
    let refused = error(registered);
    let RegistryError::ContractMismatch { capability, mismatch } = refused else { panic!("{refused}") };
    assert_eq!(capability, C::CONTRACT.id);
    mismatch
}

#[test]
fn a_contract_that_differs_from_the_code_is_refused() {
    assert_eq!(mismatch::<TakesUnlisted>(), Mismatch::RequiresUnlisted(PortId::Configuration));
    assert_eq!(mismatch::<ListsUnused>(), Mismatch::RequiresUnused(PortId::Configuration));
    assert_eq!(mismatch::<GivesUnlisted>(), Mismatch::ProvidesUnlisted(PortId::TokenBudget));
    assert_eq!(mismatch::<ListsUngiven>(), Mismatch::ProvidesUnused(PortId::TokenBudget));
    assert_eq!(mismatch::<Thief>(), Mismatch::NotItsPort(PortId::TokenBudget));
}

#[test]
fn a_provider_outside_the_map_is_refused() {
    // The map lets Observability require Configuration, so its own reverse edge would be a circle; Secrets alone is not one.
    let refused = Registry::new().register::<Outsider>(()).unwrap().register::<FreeConfiguration>(()).unwrap().seal();
    let mismatch = Mismatch::OutsideMap { port: PortId::Configuration, provider: Id::Configuration };
    assert_eq!(error(refused), RegistryError::ContractMismatch { capability: Id::Secrets, mismatch });
    let circle = Registry::new().register::<Extravagant>(()).unwrap();
    assert!(matches!(error(circle.seal()), RegistryError::UnknownProvider { port: PortId::Observability, .. }));
}

provides! { pub(crate) struct GivesConfigurationOnly { pub(crate) configuration: dyn ConfigurationPort } }
refused!(
    FreeConfiguration,
    contract(Id::Configuration, &[], &[PortId::Configuration]),
    Nothing,
    GivesConfigurationOnly
);

#[test]
fn the_substrate_has_to_be_there_too() {
    let without = Registry::new().register::<OnSubstrate>(()).unwrap().seal();
    let unknown = RegistryError::UnknownProvider { capability: Id::Memory, port: PortId::Blobs };
    assert_eq!(error(without), unknown);
    let with = Registry::new().with_substrate::<dyn BlobPort>(Arc::new(Fake)).register::<OnSubstrate>(()).unwrap();
    assert_eq!(with.seal().unwrap().order(), [Id::Memory], "the clock comes with the host");
}

#[test]
fn the_order_of_registration_does_not_matter() {
    let registry = Registry::new()
        .register::<Observability>(script())
        .unwrap()
        .register::<Secrets>(script())
        .unwrap()
        .register::<Configuration>(script())
        .unwrap();
    assert_eq!(registry.seal().unwrap().order(), [Id::Secrets, Id::Configuration, Id::Observability]);
}
