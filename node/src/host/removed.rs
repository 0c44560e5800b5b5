//! The end of a node that was removed from its cluster.

use crate::cluster::{ClusterHome, ClusterMembership};
use crate::failure::{Exit, Failure};
use std::path::Path;

/// Refuses to go on with a home whose node was removed.
///
/// # Errors
/// [`failure`] when it was, or that this cannot be read.
pub(super) fn refuse(home: &Path, cluster_home: &ClusterHome) -> anyhow::Result<()> {
    match cluster_home.membership()? {
        Some(member) if member.removed => Err(anyhow::Error::new(failure(home, &member))),
        Some(_) | None => Ok(()),
    }
}

/// What a removed node says at its end and at every later start.
pub(super) fn failure(home: &Path, member: &ClusterMembership) -> Failure {
    let ClusterMembership { name, cluster, .. } = member;
    Failure::new(format!("this node ({name}) was removed from cluster {cluster}; a removed node never comes back"))
        .hint(format!(
            "the machine joins again with a new home: `octopussy --home DIR start --join TOKEN`; {} may be deleted once nothing in it is \
             needed",
            home.display()
        ))
}

/// What a node says at its end of which a member says that it was removed, while nobody is there to confirm that or deny it.
pub(super) fn doubted(home: &Path, member: &ClusterMembership) -> Failure {
    let ClusterMembership { name, cluster, .. } = member;
    Failure::new(format!(
        "a member says that this node ({name}) was removed from cluster {cluster}, and no other member is there to say otherwise"
    ))
    .hint(format!(
        "after `octopussy cluster recover` that is so: let the machine join with a new home, and delete {} once nothing in it is needed. \
         If it is not so, start the other members first, and this node again",
        home.display()
    ))
}

/// What a start says at its end that must not be: its home is a copy, or an old one.
pub(super) fn disowned(home: &Path, reason: &str) -> Failure {
    Failure::new(format!("this node must not run from {}: {reason}", home.display())).exit(Exit::IdentityInUse).hint(
        "nothing was served or acknowledged by this start. If the other home is the right one, delete this one; if it is lost, take \
         the node out with `octopussy cluster leave NODE --force` on a member, and let the machine join with a new home \
         (docs/clusters.md, one identity, one home)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use octopussy_core::ports::MemberRole;

    #[test]
    fn a_home_whose_node_was_removed_is_refused_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let home = ClusterHome::of(folder.path());
        refuse(folder.path(), &home).unwrap();
        let member = ClusterMembership {
            cluster: "c1".to_owned(),
            name: "attic".to_owned(),
            role: MemberRole::Full,
            founder: true,
            capacity: None,
            zone: None,
            settled: true,
            removed: false,
        };
        home.set_membership(&member).unwrap();
        refuse(folder.path(), &home).unwrap();
        home.set_membership(&ClusterMembership { removed: true, ..member }).unwrap();
        let failure = refuse(folder.path(), &home).unwrap_err().downcast::<Failure>().unwrap();
        assert!(failure.message.contains("attic") && failure.message.contains("c1"), "{failure}");
        assert!(failure.hint.unwrap().contains("--join"));
    }
}
