//! What somebody probably meant.

/// The candidate nearest to `word`, when it is near enough to be a slip of the finger: at most a third of its letters away.
#[must_use]
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len().max(word.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        assert_eq!(closest("gatway", ["gateway", "node"]), Some("gateway"));
        assert_eq!(closest("cahce_mb", ["engine", "cache_mb"]), Some("cache_mb"));
        assert_eq!(closest("weather", ["engine", "cache_mb"]), None);
    }
}
