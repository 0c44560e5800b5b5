//! The ports a capability takes and gives, declared once.

use super::{MissingPort, PortTable};
use octopussy_core::contract::PortId;

/// The ports a capability takes. Made with [`requires!`](crate::requires), so that the list cannot drift from the fields.
pub trait Requires: Sized + Send + 'static {
    /// Their ids.
    const PORTS: &'static [PortId];

    /// Takes them from the table.
    ///
    /// # Errors
    /// [`MissingPort`] for the first that is not there.
    fn resolve(table: &PortTable) -> Result<Self, MissingPort>;
}

/// The ports a capability gives. Made with [`provides!`](crate::provides).
pub trait Provides: Send + 'static {
    /// Their ids.
    const PORTS: &'static [PortId];

    /// Puts them into the table.
    fn publish(self, table: &mut PortTable);
}

/// Declares the ports a capability takes:
/// `requires! { /// What it needs. pub struct Needs { pub secrets: dyn SecretsPort } }`
#[macro_export]
macro_rules! requires {
    ($(#[$doc:meta])* $vis:vis struct $name:ident { $($field_vis:vis $field:ident : dyn $port:path),* $(,)? }) => {
        $(#[$doc])*
        $vis struct $name {
            $(#[doc = concat!("The injected `", stringify!($field), "` port.")] $field_vis $field: ::std::sync::Arc<dyn $port>,)*
        }

        impl $crate::Requires for $name {
            const PORTS: &'static [$crate::__core::contract::PortId] =
                &[$(<dyn $port as $crate::__core::contract::Port>::ID,)*];

            fn resolve(table: &$crate::PortTable) -> ::core::result::Result<Self, $crate::MissingPort> {
                let _ = table;
                Ok(Self { $($field: table.get::<dyn $port>()?,)* })
            }
        }
    };
}

/// Declares the ports a capability gives:
/// `provides! { /// What it gives. pub struct Gives { pub secrets: dyn SecretsPort } }`
#[macro_export]
macro_rules! provides {
    ($(#[$doc:meta])* $vis:vis struct $name:ident { $($field_vis:vis $field:ident : dyn $port:path),* $(,)? }) => {
        $(#[$doc])*
        $vis struct $name {
            $(#[doc = concat!("The provided `", stringify!($field), "` port.")] $field_vis $field: ::std::sync::Arc<dyn $port>,)*
        }

        impl $crate::Provides for $name {
            const PORTS: &'static [$crate::__core::contract::PortId] =
                &[$(<dyn $port as $crate::__core::contract::Port>::ID,)*];

            fn publish(self, table: &mut $crate::PortTable) {
                let _ = &table;
                $(table.insert::<dyn $port>(self.$field);)*
            }
        }
    };
}
