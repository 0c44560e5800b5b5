//! A door for the fuzz targets: a `config.yaml`, and the variables that override it.

use crate::{Layer, Profile, Settings, environment_layer, parse_yaml};
use serde_json::Value;
use std::collections::BTreeMap;

/// A file's text and, behind the first line `%%`, variables as `NAME=VALUE`, one a line.
///
/// # Panics
/// When either is refused without a finding.
pub fn settings(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (yaml, variables) = text.split_once("\n%%\n").unwrap_or((text, ""));
    let pairs = variables.lines().filter_map(|line| line.split_once('='));
    let environment = environment_layer(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let file = parse_yaml("config.yaml", yaml);
    for findings in [file.as_ref().err(), environment.as_ref().err()].into_iter().flatten() {
        assert!(!findings.is_empty(), "refused, and nothing is said of it");
    }
    let mut settings = Settings::new(Profile::default());
    if let Ok(layer) = file.map_err(drop).and_then(|tree| Layer::from_tree("config.yaml", &tree).map_err(drop)) {
        settings.apply(&layer);
    }
    if let Ok(layer) = environment {
        settings.apply(&layer);
    }
    for section in ["gateway", "cluster", "llm_router"] {
        if let Err(findings) = settings.section::<BTreeMap<String, Value>>(section) {
            assert!(!findings.is_empty(), "refused, and nothing is said of it");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octopussy_corpus::replay;

    const WHOLE: &str = "\
profile: LOCAL
gateway:
  bind: 0.0.0.0
  rest_port: 47200
llm_router:
  default_provider: stub
  providers:
    stub: {kind: openai, url: \"http://127.0.0.1:1/v1\", model: stub}
%%
OCTOPUSSY__GATEWAY__REST_PORT=47300
OCTOPUSSY__CLUSTER__TIMINGS=fast
";

    #[test]
    fn the_corpus_passes() {
        let seeds = [
            ("empty", b"# nothing but a comment\n".to_vec()),
            ("whole", WHOLE.as_bytes().to_vec()),
            ("wrong", b"gateway: [1, 2\n  x: &a {y: *a}\ngateway: 3\n".to_vec()),
        ];
        replay("config", settings, &seeds);
    }
}
