//! The registry: which capabilities there are, checked before anything starts.

use super::erased::{Instantiated, instantiate};
use super::stand_in::has_stand_in;
use super::start::Starter;
use super::{Capability, Host, PortTable, Provides, Requires, StartAllError, System};
use crate::essence::{Mismatch, Node, RegistryError, find_cycle, start_order};
use octopussy_core::capability::CapabilityId;
use octopussy_core::contract::{Contract, Criticality, Port, PortId, Provider};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Capabilities can still be registered.
#[derive(Debug)]
pub struct Open(());

/// The set is complete and fits together.
#[derive(Debug)]
pub struct Sealed {
    order: Vec<CapabilityId>,
}

struct Entry {
    contract: &'static Contract,
    instance: Box<dyn Instantiated>,
}

/// The capabilities of a node, before they start.
#[must_use = "nothing starts until `start_all`"]
pub struct Registry<State> {
    entries: BTreeMap<CapabilityId, Entry>,
    substrate: PortTable,
    state: State,
}

impl Registry<Open> {
    /// A registry without any capability.
    pub fn new() -> Self {
        Self { entries: BTreeMap::new(), substrate: PortTable::default(), state: Open(()) }
    }

    /// Adds a port of what lies below the capabilities: the ledger, the blobs. The clock comes with the [`Host`].
    /// A port that a capability provides does not compile here.
    pub fn with_substrate<P: Port + ?Sized>(mut self, port: Arc<P>) -> Self {
        const {
            assert!(
                matches!(P::ID.provider(), Provider::Substrate),
                "this port is provided by a capability: register the capability instead"
            );
        }
        self.substrate.insert(port);
        self
    }

    /// Phase one: adds the capability `C` with its configuration.
    ///
    /// # Errors
    /// [`RegistryError::Duplicate`], [`RegistryError::ContractMismatch`] when its contract and its ports differ, and
    /// [`RegistryError::Circular`] when it closes a circle with those registered before it.
    pub fn register<C: Capability>(mut self, config: C::Config) -> Result<Self, RegistryError> {
        let contract = C::CONTRACT;
        let id = contract.id;
        if self.entries.contains_key(&id) {
            return Err(RegistryError::Duplicate(id));
        }
        check_ports(contract, <C::Requires as Requires>::PORTS, <C::Provides as Provides>::PORTS)
            .map_err(|mismatch| RegistryError::ContractMismatch { capability: id, mismatch })?;
        self.entries.insert(id, Entry { contract, instance: instantiate::<C>(config) });
        match find_cycle(&self.nodes()) {
            Some(path) => Err(RegistryError::Circular { path }),
            None => Ok(self),
        }
    }

    /// Closes the set and computes its start order.
    ///
    /// # Errors
    /// Every other variant of [`RegistryError`].
    pub fn seal(self) -> Result<Registry<Sealed>, RegistryError> {
        for entry in self.entries.values() {
            self.check_providers(entry.contract)?;
        }
        let order = start_order(&self.nodes())?;
        for entry in self.entries.values() {
            check_map(entry.contract)?;
        }
        Ok(Registry { entries: self.entries, substrate: self.substrate, state: Sealed { order } })
    }

    fn check_providers(&self, contract: &Contract) -> Result<(), RegistryError> {
        let provided = |port: &PortId| match port.provider() {
            Provider::Substrate => *port == PortId::Clock || self.substrate.contains(*port),
            Provider::Capability(id) => {
                self.entries.get(&id).is_some_and(|entry| entry.contract.provides.contains(port))
            }
        };
        match contract.requires.iter().find(|port| !provided(port)) {
            Some(port) => Err(RegistryError::UnknownProvider { capability: contract.id, port: *port }),
            None => Ok(()),
        }
    }

    fn nodes(&self) -> Vec<Node> {
        let node = |entry: &Entry| Node {
            id: entry.contract.id,
            layer: entry.contract.id.entry().layer,
            requires: providers(entry.contract).map(|(_, provider)| provider).collect(),
        };
        self.entries.values().map(node).collect()
    }
}

impl Default for Registry<Open> {
    fn default() -> Self {
        Self::new()
    }
}

impl Registry<Sealed> {
    /// The order in which the capabilities will start.
    #[must_use]
    pub fn order(&self) -> &[CapabilityId] {
        &self.state.order
    }

    /// Phases two to four of every capability: all are initialized first, so that a configuration that does not fit stops
    /// everything before anything has been touched; then each gets its ports and starts, in order.
    ///
    /// # Errors
    /// [`StartAllError`]; what had started has been stopped in reverse order and cleaned up.
    pub async fn start_all(self, host: Host) -> Result<System, StartAllError> {
        let Self { mut entries, substrate, state: Sealed { order } } = self;
        let in_order = order.iter().filter_map(|id| entries.remove(id));
        let capabilities = in_order.map(|entry| (entry.contract, entry.instance)).collect();
        Starter::new(host, substrate, &order).start_all(capabilities).await
    }
}

/// The required ports that capabilities provide.
fn providers(contract: &Contract) -> impl Iterator<Item = (PortId, CapabilityId)> + '_ {
    contract.requires.iter().filter_map(|port| match port.provider() {
        Provider::Substrate => None,
        Provider::Capability(id) => Some((*port, id)),
    })
}

/// Compares a contract with the ports the code takes and gives.
fn check_ports(contract: &Contract, takes: &[PortId], gives: &[PortId]) -> Result<(), Mismatch> {
    let extra = |these: &[PortId], those: &[PortId]| these.iter().copied().find(|port| !those.contains(port));
    let findings = [
        extra(takes, contract.requires).map(Mismatch::RequiresUnlisted),
        extra(contract.requires, takes).map(Mismatch::RequiresUnused),
        extra(gives, contract.provides).map(Mismatch::ProvidesUnlisted),
        extra(contract.provides, gives).map(Mismatch::ProvidesUnused),
    ];
    findings.into_iter().flatten().next().map_or(Ok(()), Err)
}

/// Compares a contract with its row of the map.
fn check_map(contract: &Contract) -> Result<(), RegistryError> {
    let row = contract.id.entry();
    let capability = contract.id;
    let mismatch = |mismatch| RegistryError::ContractMismatch { capability, mismatch };
    if let Some((port, provider)) = providers(contract).find(|(_, provider)| !row.requires.contains(provider)) {
        return Err(mismatch(Mismatch::OutsideMap { port, provider }));
    }
    if let Some(port) = contract.provides.iter().find(|port| port.provider() != Provider::Capability(capability)) {
        return Err(mismatch(Mismatch::NotItsPort(*port)));
    }
    match (row.criticality, contract.provides.iter().find(|port| !has_stand_in(**port))) {
        (Criticality::Sidecar, Some(port)) => Err(RegistryError::NoStandIn { capability, port: *port }),
        (Criticality::Sidecar, None) | (Criticality::Required, _) => Ok(()),
    }
}
