//! The lives of a node, told so that others notice when two go on from one home, or an old home comes back. Pure.
//!
//! Every start of a node is a life: an epoch that its home counts, and an id drawn at that start. A home remembers its lives and
//! says them to whoever it meets. Whoever has met a life that the home does not remember has met another copy of it.

use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// How many lives a home remembers and says: the start of a node that another has not met for longer is believed. A crash loop
/// takes minutes for as many, and a greeting stays within a packet or two.
pub const MAX_LIVES: usize = 64;

/// One life of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Life {
    /// Grows with every start.
    pub epoch: u64,
    /// Drawn at the start: two starts of the same epoch differ in it.
    pub id: u64,
    /// Grows while the life lasts and something is written, so that a copy of the home that was taken meanwhile is older.
    pub reached: u64,
}

/// What a node says of the home it has started from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// Names the home. A copy has the same.
    pub home: u128,
    /// The last lives, the present one at the end.
    lives: Vec<Life>,
}

/// The last that is known of another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Met {
    /// Its home.
    pub home: u128,
    /// Its life.
    pub life: Life,
    /// Since when this life is known.
    pub since: Timestamp,
}

/// Two starts that cannot both go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Conflict {
    /// Both have begun from the same home, or one from another home of the node.
    #[error(
        "its identity is in use elsewhere: start {known} of it is known since {}, which this home knows nothing of (the home was \
         copied?)",
        moment(*since)
    )]
    Twice {
        /// The epoch of the life that is known.
        known: u64,
        /// Since when it is known.
        since: Timestamp,
    },
    /// The home is as it was earlier.
    #[error(
        "its home is older than what the cluster remembers: it is at start {said}, and start {known} of it is known since {} \
         (a restored backup, or a cloned card?)",
        moment(*since)
    )]
    Past {
        /// The epoch that was said.
        said: u64,
        /// The epoch of the life that is known.
        known: u64,
        /// Since when it is known.
        since: Timestamp,
    },
}

impl Conflict {
    /// Since when the other life is known.
    #[must_use]
    pub const fn since(&self) -> Timestamp {
        match self {
            Self::Twice { since, .. } | Self::Past { since, .. } => *since,
        }
    }
}

impl Lineage {
    /// The first life of a home.
    #[must_use]
    pub fn first(home: u128, epoch: u64, id: u64) -> Self {
        Self { home, lives: vec![Life { epoch, id, reached: 0 }] }
    }

    /// A lineage whose lives are known by their number: for whoever has no home, such as tests.
    #[must_use]
    pub fn numbered(epoch: u64) -> Self {
        let mut lineage = Self::first(0, 1, 1);
        (2..=epoch).for_each(|id| lineage.begin(id));
        lineage.lives.iter_mut().for_each(|life| life.id = life.epoch);
        lineage
    }

    /// Begins the next life.
    pub fn begin(&mut self, id: u64) {
        let epoch = self.life().epoch.saturating_add(1);
        self.lives.push(Life { epoch, id, reached: 0 });
        if self.lives.len() > MAX_LIVES {
            self.lives.remove(0);
        }
    }

    /// Begins a life in place of the present one, which nobody has let in.
    pub fn begin_instead(&mut self, id: u64) {
        if self.lives.len() > 1 {
            self.lives.pop();
        }
        self.begin(id);
    }

    /// Notes that something was written in the present life.
    pub fn advance(&mut self) {
        if let Some(life) = self.lives.last_mut() {
            life.reached = life.reached.saturating_add(1);
        }
    }

    /// The present life.
    #[must_use]
    pub fn life(&self) -> Life {
        self.lives.last().copied().unwrap_or(Life { epoch: 0, id: 0, reached: 0 })
    }

    /// Whether it could have been said by a node: it has lives, in their order, and not more than are remembered.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        (1..=MAX_LIVES).contains(&self.lives.len()) && self.lives.is_sorted_by(|a, b| a.epoch < b.epoch)
    }

    /// Whether this goes on from what is known of the node.
    ///
    /// # Errors
    /// [`Conflict`]: the home of this life has not been where the known life was, or not as late.
    pub fn goes_on_from(&self, met: &Met) -> Result<(), Conflict> {
        let (said, known, since) = (self.life().epoch, met.life.epoch, met.since);
        if self.home != met.home {
            return Err(Conflict::Twice { known, since });
        }
        match self.lives.iter().find(|life| life.epoch == known) {
            Some(life) if life.id != met.life.id => Err(Conflict::Twice { known, since }),
            Some(life) if life.reached < met.life.reached => Err(Conflict::Past { said, known, since }),
            Some(_) => Ok(()),
            None if said < known => Err(Conflict::Past { said, known, since }),
            // Nobody remembers all lives: what is too long ago is believed.
            None if self.lives.first().is_some_and(|oldest| oldest.epoch > known) => Ok(()),
            None => Err(Conflict::Twice { known, since }),
        }
    }

    /// What is to be remembered of it, given what was before.
    ///
    /// # Errors
    /// [`Conflict`]: what was before stays.
    pub fn remembered(&self, before: Option<&Met>, now: Timestamp) -> Result<Met, Conflict> {
        let life = self.life();
        let since = match before {
            Some(met) => {
                self.goes_on_from(met)?;
                if (met.life.epoch, met.life.id) == (life.epoch, life.id) { met.since } else { now }
            }
            None => now,
        };
        Ok(Met { home: self.home, life, since })
    }
}

/// A moment as people write it, in UTC.
fn moment(at: Timestamp) -> String {
    let seconds = at.as_millis() / 1_000;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", rest / 3_600, rest / 60 % 60, rest % 60)
}

/// Year, month and day of a count of days since 1970-01-01, by Howard Hinnant's `civil_from_days`.
const fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day_of_year - (153 * shifted_month + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_millis(7);

    fn met(lineage: &Lineage) -> Met {
        lineage.remembered(None, NOW).unwrap()
    }

    #[test]
    fn the_next_start_of_a_home_goes_on_and_both_copies_of_it_do_not() {
        let mut home = Lineage::first(9, 1, 11);
        let mut copy = home.clone();
        let first = met(&home);
        home.begin(12);
        home.goes_on_from(&first).unwrap();
        copy.begin(13);
        copy.goes_on_from(&first).unwrap();
        assert_eq!(copy.goes_on_from(&met(&home)), Err(Conflict::Twice { known: 2, since: NOW }));
        // However often the copy is started, it never becomes the other.
        for id in 14..200 {
            copy.begin(id);
            let outcome = copy.goes_on_from(&met(&home));
            assert!(outcome.is_err() || id > 14 + MAX_LIVES as u64 - 3, "{id}");
        }
    }

    #[test]
    fn a_home_put_back_is_older_even_within_one_life() {
        let mut home = Lineage::first(9, 1, 11);
        let stopped = home.clone();
        home.begin(12);
        let running = home.clone();
        home.advance();
        let known = met(&home);
        assert_eq!(stopped.goes_on_from(&known), Err(Conflict::Past { said: 1, known: 2, since: NOW }));
        let mut restarted = running;
        restarted.begin(13);
        assert_eq!(restarted.goes_on_from(&known), Err(Conflict::Past { said: 3, known: 2, since: NOW }));
        home.begin(14);
        home.goes_on_from(&known).unwrap();
    }

    #[test]
    fn a_home_made_anew_around_an_old_key_is_another_one_whatever_its_number() {
        let mut old = Lineage::first(9, 1, 11);
        old.begin(12);
        for epoch in [1, 2, 3, 1_000] {
            let new = Lineage::first(10, epoch, 20);
            assert_eq!(new.goes_on_from(&met(&old)), Err(Conflict::Twice { known: 2, since: NOW }));
        }
    }

    #[test]
    fn since_when_a_life_is_known_stays_while_it_lasts() {
        let mut home = Lineage::first(9, 1, 11);
        let known = met(&home);
        home.advance();
        let later = Timestamp::from_millis(99);
        let advanced = home.remembered(Some(&known), later).unwrap();
        assert_eq!((advanced.since, advanced.life.reached), (NOW, 1));
        home.begin(12);
        assert_eq!(home.remembered(Some(&advanced), later).unwrap().since, later);
    }

    #[test]
    fn a_conflict_says_since_when_the_other_is_known() {
        let since = Timestamp::from_millis(1_795_956_058_000);
        let said = Conflict::Twice { known: 3, since }.to_string();
        assert!(said.contains("since 2026-11-29 12:40:58 UTC") && said.contains("in use elsewhere"), "{said}");
        assert_eq!(moment(Timestamp::from_millis(951_782_400_000)), "2000-02-29 00:00:00 UTC");
    }

    proptest! {
        /// Of two homes that were one, at most one is let in by whoever has met the other since.
        #[test]
        fn copies_never_go_on_from_each_other(before in 0_u64..5, one in 1_u64..20, other in 1_u64..20) {
            let mut home = Lineage::first(1, 1, 1);
            (0..before).for_each(|step| home.begin(100 + step));
            let mut copy = home.clone();
            (0..one).for_each(|step| home.begin(200 + step));
            (0..other).for_each(|step| copy.begin(300 + step));
            prop_assert!(home.is_sound() && copy.is_sound());
            prop_assert!(copy.goes_on_from(&met(&home)).is_err());
            prop_assert!(home.goes_on_from(&met(&copy)).is_err());
        }
    }
}
