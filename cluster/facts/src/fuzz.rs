//! A door for the fuzz target: what other nodes tell of themselves.

use crate::message::{read, write};
use crate::records::{MAX_FACTS_BYTES, fit, view};
use octopussy_core::codec;

/// A message as it comes over the mesh.
///
/// # Panics
/// When one that was read is written as another, or its facts are told in more bytes than they may have.
pub fn message(bytes: &[u8]) {
    let Some(told) = read(bytes) else { return };
    let written = write(&told).expect("what was read can be written");
    assert!(read(&written).is_some_and(|again| again == told), "it is read as something else");
    if let Some(node) = &told.node
        && let Ok(fitted) = fit(&view(node, told.load))
    {
        let length = |record| codec::encoded_len(record).expect("it can be written");
        assert!(length(&fitted.node) <= MAX_FACTS_BYTES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Told;
    use crate::tests::limits::facts;
    use octopussy_corpus::replay;

    #[test]
    fn the_corpus_passes() {
        let told = |models: usize, whole: bool| {
            let fitted = fit(&facts(models)).unwrap();
            write(&Told { boot: 3, number: 9, node: whole.then_some(fitted.node), load: fitted.load }).unwrap()
        };
        let seeds = [("load", told(0, false)), ("bare", told(0, true)), ("three-models", told(3, true))];
        for (name, seed) in &seeds {
            assert!(read(seed).is_some(), "{name} is not a message");
        }
        replay("facts_message", message, &seeds);
    }
}
