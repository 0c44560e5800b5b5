//! The listeners: bound, bounded, and closed in order.

mod acceptor;
mod context;
mod doors;
mod gateway;

pub use gateway::{Addresses, BindError, Gateway, GatewayParts};

pub(crate) use context::{Context, Reservation};
