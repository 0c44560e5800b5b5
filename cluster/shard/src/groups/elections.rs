//! What the changes of a group's term and leader count for. Pure.

use octopussy_core::ids::NodeId;

/// The last that was seen of a group's elections.
#[derive(Debug)]
pub(super) struct Elections {
    term: u64,
    leader: Option<NodeId>,
}

/// What has happened since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Since {
    /// Terms that have begun.
    pub(super) terms: u64,
    /// Whether another node leads than the last one that did.
    pub(super) other_leader: bool,
}

impl Elections {
    /// Begins with the term that is known, so that nothing from before counts.
    pub(super) const fn begin(term: u64) -> Self {
        Self { term, leader: None }
    }

    /// Takes in what is seen now. The first term that an empty replica hears of is one election, whatever its number; the time
    /// without a leader between two is no change of its own.
    pub(super) fn look(&mut self, term: u64, leader: Option<NodeId>) -> Since {
        let terms = if self.term == 0 { term.min(1) } else { term.saturating_sub(self.term) };
        self.term = self.term.max(term);
        let other_leader = leader.is_some() && self.leader.is_some() && leader != self.leader;
        self.leader = leader.or(self.leader);
        Since { terms, other_leader }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_and_leaders_are_counted_as_they_change() {
        let [a, b] = [1, 2].map(|number| NodeId([number; 16]));
        let mut seen = Elections::begin(4);
        let mut look = |term, leader| {
            let Since { terms, other_leader } = seen.look(term, leader);
            (terms, other_leader)
        };
        assert_eq!(look(4, None), (0, false));
        assert_eq!(look(5, Some(a)), (1, false), "the first leader is no change");
        assert_eq!(look(5, Some(a)), (0, false));
        assert_eq!(look(6, None), (1, false));
        assert_eq!(look(7, Some(a)), (1, false), "the same one again");
        assert_eq!(look(9, Some(b)), (2, true), "terms that were missed count, too");
        assert_eq!(look(8, Some(b)), (0, false), "what comes late counts once");
    }

    #[test]
    fn a_replica_that_is_new_here_counts_one_election() {
        assert_eq!(Elections::begin(0).look(17, None).terms, 1);
        assert_eq!(Elections::begin(0).look(0, None).terms, 0);
    }
}
