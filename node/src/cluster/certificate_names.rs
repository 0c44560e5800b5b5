//! For which names and addresses a certificate is signed: what the cluster has committed about the member, and nothing that a
//! request asks for. Pure.

use octopussy_control::MemberRecord;
use octopussy_core::ports::MemberRole;
use std::net::IpAddr;

/// How this machine calls itself. A client that speaks to one of these never leaves its own machine.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The names of the member's certificate. A full member has its name, its addresses and those of its own machine. A guest is a
/// machine that is trusted with little: it gets no name at all, so that it can stand for no host of the cluster's. The mesh knows it by
/// its key, and what serves its status has a certificate of an authority of its own.
pub(super) fn committed(member: &MemberRecord) -> Vec<String> {
    match member.role {
        MemberRole::Full => {
            let own = std::iter::once(member.name.clone()).chain(LOOPBACK.map(str::to_owned));
            let addresses = member.addresses.iter().map(|address| address.ip()).filter(|ip| names_a_host(*ip));
            own.chain(addresses.map(|ip| ip.to_string())).collect()
        }
        MemberRole::Guest => Vec::new(),
    }
}

fn names_a_host(ip: IpAddr) -> bool {
    !(ip.is_unspecified() || ip.is_loopback() || ip.is_multicast())
}

#[cfg(test)]
mod tests {
    use super::*;
    use octopussy_control::VersionRange;
    use octopussy_core::ids::NodeId;
    use octopussy_core::ports::MemberDesired;
    use octopussy_core::time::Timestamp;

    fn member(number: u8, role: MemberRole, addresses: &[&str]) -> MemberRecord {
        MemberRecord {
            id: NodeId([number; 16]),
            name: format!("node-{number}"),
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            role,
            desired: MemberDesired::Active,
            capacity: 1,
            zone: None,
            versions: VersionRange { min: 1, max: 1 },
            joined_at: Timestamp::EPOCH,
        }
    }

    #[test]
    fn a_certificate_names_what_is_committed_of_its_member_alone() {
        let full = member(1, MemberRole::Full, &["192.0.2.1:47210", "127.0.0.1:47210", "0.0.0.0:1"]);
        assert_eq!(committed(&full), ["node-1", "localhost", "127.0.0.1", "::1", "192.0.2.1"]);
    }

    #[test]
    fn a_guest_can_stand_for_no_host() {
        let told = ["192.0.2.1:9", "127.0.0.1:47200", "[::1]:47200"];
        let guest = MemberRecord { name: "localhost".to_owned(), ..member(2, MemberRole::Guest, &told) };
        assert_eq!(committed(&guest), Vec::<String>::new());
    }
}
