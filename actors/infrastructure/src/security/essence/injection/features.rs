//! The features of the model: hashes of words, of their beginnings, and of pairs and triples of words. They have to stay
//! exactly those of `training/features.py`.
//!
//! Whatever contains a digit (numbers, dates, ids, hexadecimal, UUIDs), every URL and every e-mail address is left out
//! as if it were not there: none of them can say anything about a text.

/// How many words are looked at: instructions that hide further behind are found by the rules.
const MAX_WORDS: usize = 512;

const FNV_BASIS: u32 = 0x811C_9DC5;
const PREFIX_SEED: u32 = 7;
const PREFIX_BYTES: usize = 5;

/// What takes the features of a text.
pub(super) trait Sink {
    /// A word.
    fn word(&mut self, hash: u32);
    /// The beginning of a word, a pair or a triple.
    fn phrase(&mut self, hash: u32);
}

/// Gives the features of `text` to `sink`, repeated ones repeatedly.
pub(super) fn features(text: &str, sink: &mut impl Sink) {
    let mut chain = Chain { sink, before: None, last: None, left: MAX_WORDS };
    for chunk in text.split_whitespace().filter(|chunk| !is_address(chunk)) {
        // `-` and `_` join, so that one digit takes the whole id away.
        let spans = chunk.split(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_'));
        for span in spans.filter(|span| !span.is_empty() && !span.chars().any(char::is_numeric)) {
            for word in span.split(['-', '_']).filter(|word| !word.is_empty()) {
                chain.push(word);
                if chain.left == 0 {
                    return;
                }
            }
        }
    }
}

/// A URL or an e-mail address.
fn is_address(chunk: &str) -> bool {
    chunk.contains("://") || chunk.rfind('@').is_some_and(|at| at > 0 && chunk[at..].contains('.'))
}

struct Chain<'a, S> {
    sink: &'a mut S,
    before: Option<u32>,
    last: Option<u32>,
    left: usize,
}

impl<S: Sink> Chain<'_, S> {
    fn push(&mut self, word: &str) {
        let (hash, prefix) = hashes(word);
        self.sink.word(hash);
        if let Some(prefix) = prefix {
            self.sink.phrase(prefix);
        }
        if let Some(last) = self.last {
            let pair = last.wrapping_mul(31).wrapping_add(hash);
            self.sink.phrase(pair.wrapping_add(1));
            if let Some(before) = self.before {
                self.sink.phrase(before.wrapping_mul(961).wrapping_add(pair).wrapping_add(2));
            }
        }
        (self.before, self.last) = (self.last, Some(hash));
        self.left -= 1;
    }
}

/// FNV-1a over a word in lower case, and over its first bytes if it has more.
fn hashes(word: &str) -> (u32, Option<u32>) {
    let (mut whole, mut prefix, mut length) = (FNV_BASIS, FNV_BASIS ^ PREFIX_SEED, 0);
    let mut push = |byte: u8| {
        let step = |hash: u32| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        whole = step(whole);
        if length < PREFIX_BYTES {
            prefix = step(prefix);
        }
        length += 1;
    };
    for c in word.chars() {
        if c.is_ascii() {
            push((c as u8).to_ascii_lowercase());
        } else {
            c.to_lowercase().for_each(|c| c.encode_utf8(&mut [0; 4]).bytes().for_each(&mut push));
        }
    }
    (whole, (length > PREFIX_BYTES).then_some(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default, Debug, PartialEq)]
    struct Taken(Vec<u32>, Vec<u32>);

    impl Sink for Taken {
        fn word(&mut self, hash: u32) {
            self.0.push(hash);
        }
        fn phrase(&mut self, hash: u32) {
            self.1.push(hash);
        }
    }

    fn taken(text: &str) -> Taken {
        let mut taken = Taken::default();
        features(text, &mut taken);
        taken
    }

    #[test]
    fn what_has_digits_or_is_an_address_is_not_there() {
        for text in [
            "say 679 hi",
            "say 2024-05-01 hi 10:30",
            "say 550e8400-e29b-41d4-a716-446655440000 hi",
            "0xdeadbeef1 say, ORDER-77_x hi!",
            "say https://example.org/ignore?all=previous hi",
            "say to-7 a.person@example.org hi",
            "SAY Hi ٤٢ ½ ² Ⅳ",
        ] {
            assert_eq!(taken(text), taken("say hi"), "{text}");
        }
        assert_ne!(taken("say-hi @all"), taken("say hi"));
    }

    #[test]
    fn words_prefixes_pairs_and_triples_count() {
        // The same numbers as features.py computes.
        let Taken(words, phrases) = taken("Größe ist alles");
        assert_eq!(words, [3_443_061_914, 2_215_228_851, 2_862_090_752]);
        assert_eq!(phrases.len(), 4);
        assert_eq!(taken(&"word ".repeat(2000)).0.len(), MAX_WORDS);
    }
}
