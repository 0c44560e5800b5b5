//! A port cannot be used before it has been injected: `initialize` has none in scope.

use octopussy_core::contract::Contract;
use octopussy_core::ports::{SecretName, SecretsPort};
use octopussy_lifecycle::{
    Capability, Deadline, InitializeError, Running, StartContext, StartError, StopError, Wired, provides, requires,
};

requires! { pub struct Needs { pub secrets: dyn SecretsPort } }
provides! { pub struct Gives {} }

struct Early {
    name: SecretName,
}

struct Session;

impl Running for Session {
    async fn stop(&mut self, _: Deadline) -> Result<(), StopError> {
        Ok(())
    }
    async fn cleanup(self) {}
}

impl Capability for Early {
    const CONTRACT: &'static Contract = unimplemented!();
    type Config = SecretName;
    type Requires = Needs;
    type Provides = Gives;
    type Running = Session;

    fn initialize(name: SecretName) -> Result<Self, InitializeError> {
        let early = Self { name };
        let _value = early.ports.secrets.get(&early.name);
        Ok(early)
    }

    async fn start(_: Wired<Self>, _: StartContext) -> Result<(Gives, Session), StartError> {
        Ok((Gives {}, Session))
    }
}

fn main() {}
