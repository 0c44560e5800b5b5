//! Words, sentences and their ranking: what retrieval and the embedded model share.
