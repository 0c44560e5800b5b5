//! A door for the fuzz targets: what a client says over the WebSocket.

use super::protocol::{error, is_ref, parse};

/// A text frame.
///
/// # Panics
/// When the name that goes back with a refusal is none.
pub fn client_message(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err((name, problem)) = parse(text) {
        assert!(name.as_deref().is_none_or(is_ref), "{name:?}");
        assert!(!error(name.as_deref(), &problem).is_empty(), "the refusal cannot be written");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octopussy_corpus::replay;

    #[test]
    fn the_corpus_passes() {
        let seeds = [
            ("submit", r#"{"op":"submit","ref":"1","task":{"agent":"clerk","input":"Hello."}}"#),
            ("watch", r#"{"op":"watch","ref":"2","topic":"task","id":"x","after":"3.9"}"#),
            ("unwatch", r#"{"op":"unwatch","ref":"2"}"#),
            ("control", r#"{"op":"control","ref":"3","agent":"clerk","command":"cancel","task":"x"}"#),
            ("ping", r#"{"op":"ping"}"#),
            ("wrong", r#"{"op":"dance","ref":"4"}"#),
        ];
        replay("gateway_ws", client_message, &seeds.map(|(name, text)| (name, text.as_bytes().to_vec())));
    }
}
