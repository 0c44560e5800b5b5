//! Reads the routing table.

use crate::llm_router::essence::RoutingTable;
use std::path::Path;

/// The table that is shipped.
const SHIPPED: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/routing_table.yaml"));

/// The table in `path`, or the shipped one.
///
/// # Errors
/// What is wrong, with the file and where in it.
pub(super) fn read(path: Option<&Path>) -> Result<RoutingTable, String> {
    match path {
        None => parse("the shipped routing table", SHIPPED),
        Some(path) => {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path).map_err(|error| format!("{name} cannot be read: {error}"))?;
            let text = octopussy_core::plain_text::unmarked(text);
            parse(&name, &text)
        }
    }
}

fn parse(name: &str, text: &str) -> Result<RoutingTable, String> {
    let table: RoutingTable = serde_saphyr::from_str(text).map_err(|error| format!("{name}: {error}"))?;
    match table.fault() {
        Some(fault) => Err(format!("{name}: {fault}")),
        None => Ok(table),
    }
}
