//! Which models go to whom: prompts, documents and answers leave this node only for those whom somebody named.

use std::fmt;

/// The word for all full members.
pub const MEMBERS: &str = "members";

/// Another node of the cluster, as the committed members have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// Its id, as it is written.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it is a full member; otherwise a guest, which nothing is entrusted to unasked.
    pub full: bool,
}

/// Models of one provider, or of all, may go to or come from somebody: `members`, `NODE`, `PROVIDER@members`, `PROVIDER@NODE`. A node
/// is named by its name or its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    provider: Option<String>,
    party: Party,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Party {
    Members,
    Node(String),
}

impl Permission {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (provider, party) = match text.split_once('@') {
            Some((provider, party)) => (Some(provider), party),
            None => (None, text),
        };
        let is_empty = |part: &str| part.trim().is_empty() || part.trim() != part;
        if provider.is_some_and(is_empty) || is_empty(party) || party.contains('@') {
            return Err(format!("'{text}' must be `members`, a node's name or id, or PROVIDER@ before one of these"));
        }
        let party = if party == MEMBERS { Party::Members } else { Party::Node(party.to_owned()) };
        Ok(Self { provider: provider.map(str::to_owned), party })
    }

    /// Whether it is about this provider and this node.
    #[must_use]
    pub fn allows(&self, provider: &str, node: &Neighbour) -> bool {
        self.provider.as_deref().is_none_or(|named| named == provider)
            && match &self.party {
                Party::Members => node.full,
                Party::Node(named) => *named == node.name || *named == node.id,
            }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(provider) = &self.provider {
            write!(f, "{provider}@")?;
        }
        match &self.party {
            Party::Members => f.write_str(MEMBERS),
            Party::Node(name) => f.write_str(name),
        }
    }
}

/// Whether one of the permissions is about this provider and this node. What does not read as a permission permits nothing.
#[must_use]
pub fn permitted(permissions: &[String], provider: &str, node: &Neighbour) -> bool {
    permissions.iter().filter_map(|text| Permission::parse(text).ok()).any(|given| given.allows(provider, node))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u8, name: &str, full: bool) -> Neighbour {
        Neighbour { id: format!("{number:032x}"), name: name.to_owned(), full }
    }

    fn all(permissions: &[&str], provider: &str, node: &Neighbour) -> bool {
        let permissions: Vec<String> = permissions.iter().map(|text| (*text).to_owned()).collect();
        permitted(&permissions, provider, node)
    }

    #[test]
    fn members_are_full_members_and_a_guest_has_to_be_named() {
        let (attic, tower) = (node(1, "attic", true), node(2, "tower", false));
        assert!(all(&["members"], "house", &attic) && !all(&["members"], "house", &tower));
        assert!(all(&["tower"], "house", &tower) && !all(&["tower"], "house", &attic));
        assert!(all(&[&tower.id], "house", &tower));
        assert!(!all(&[], "house", &attic), "nobody is named");
    }

    #[test]
    fn a_permission_for_one_provider_is_none_for_another() {
        let (attic, tower) = (node(1, "attic", true), node(2, "tower", false));
        assert!(all(&["ollama@tower"], "ollama", &tower) && !all(&["ollama@tower"], "openai", &tower));
        assert!(all(&["ollama@members"], "ollama", &attic) && !all(&["ollama@members"], "ollama", &tower));
    }

    #[test]
    fn what_is_no_permission_permits_nothing_and_is_told() {
        let tower = node(2, "", false);
        for text in ["", "@", "a@", "@tower", "a@b@c", " tower", "members "] {
            assert!(Permission::parse(text).is_err(), "{text:?}");
            assert!(!all(&[text], "house", &tower), "{text:?}");
        }
        for text in ["members", "tower", "ollama@tower", "ollama@members"] {
            assert_eq!(Permission::parse(text).unwrap().to_string(), text);
        }
    }
}
