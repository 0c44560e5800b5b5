//! What is handed to `start` cannot be made without every port.

use octopussy_core::ports::{ConfigurationPort, SecretsPort};
use octopussy_lifecycle::requires;
use std::sync::Arc;

requires! { pub struct Needs { pub secrets: dyn SecretsPort, pub configuration: dyn ConfigurationPort } }

fn wire(secrets: Arc<dyn SecretsPort>) -> Needs {
    Needs { secrets }
}

fn main() {}
