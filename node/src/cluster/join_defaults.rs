//! What a node is called and how much it counts when nobody says so.

use super::admit_check::is_name;
use super::join_wire::MAX_NAME;

/// The weight of a machine with this many processors: one that has four times as many holds four times as many shards.
pub(crate) fn default_capacity(cpus: u16) -> u32 {
    u32::from(cpus.max(1))
}

/// The machine's own name, made fit.
pub(crate) fn default_name() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().to_ascii_lowercase();
    fit(&host)
}

fn fit(host: &str) -> String {
    // The rest of a full domain name is the same on all of somebody's machines.
    let short = host.split('.').next().unwrap_or_default();
    let name: String = short.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
    let name = name.trim_matches('-');
    let name = &name[..name.len().min(MAX_NAME)];
    if is_name(name) { name.to_owned() } else { "node".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_becomes_a_name() {
        assert_eq!(fit("attic.example.org"), "attic");
        assert_eq!(fit("my board"), "my-board");
        assert_eq!(fit(""), "node");
        assert_eq!(fit("---"), "node");
        assert_eq!(fit(&"x".repeat(200)).len(), MAX_NAME);
        assert!(is_name(&default_name()));
        assert_eq!(default_capacity(0), 1);
    }
}
