use crate::{LoadOptions, Origin, Profile, Settings, default_config_yaml, load};
use octopussy_core::problem::Finding;
use serde::Deserialize;

const SECTIONS: [&str; 6] = ["cluster", "node", "store", "gateway", "observability", "token_budget"];

#[derive(Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
struct Gateway {
    bind: String,
    port: u16,
    limits: Limits,
}

impl Default for Gateway {
    fn default() -> Self {
        Self { bind: "127.0.0.1".into(), port: 47200, limits: Limits::default() }
    }
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
struct Limits {
    body_mb: u32,
    per_second: u32,
}

fn settings(text: &str, environment: &[(&str, &str)]) -> Result<Settings, Vec<Finding>> {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("config.yaml");
    std::fs::write(&file, text).unwrap();
    let mut sections = SECTIONS.to_vec();
    sections.extend(["secrets", "configuration", "security", "messaging", "llm_router", "prompt_engine", "actor"]);
    load(&LoadOptions {
        file,
        profile: None,
        sections,
        environment: environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
    })
}

#[test]
fn later_layers_win_and_say_so() {
    let settings = settings(
        "profile: DOCKER\ngateway:\n  port: 5000\n  limits:\n    body_mb: 2\n",
        &[("OCTOPUSSY__GATEWAY__LIMITS__PER_SECOND", "9"), ("UNRELATED", "x")],
    )
    .unwrap();
    assert_eq!(settings.profile(), Profile::Docker);
    let gateway: Gateway = settings.section("gateway").unwrap();
    assert_eq!(gateway, Gateway { bind: "0.0.0.0".into(), port: 5000, limits: Limits { body_mb: 2, per_second: 9 } });
    assert!(
        matches!(settings.origin("gateway.bind"), Some(Origin::File { file, .. }) if &**file == "profiles/docker.yaml")
    );
    assert!(matches!(settings.origin("gateway.port"), Some(Origin::File { line: 3, .. })));
    assert_eq!(
        settings.origin("gateway.limits.per_second").unwrap().to_string(),
        "environment variable OCTOPUSSY__GATEWAY__LIMITS__PER_SECOND"
    );
}

#[test]
fn every_error_is_found_with_line_and_suggestion() {
    let settings =
        settings("gateway:\n  prot: 5000\n  bind: 7\n  limits:\n    body_mb: lots\n    per_secnod: 3\n", &[]).unwrap();
    let findings = settings.section::<Gateway>("gateway").unwrap_err();
    let mut seen: Vec<_> = findings.iter().map(|f| (f.line, f.message.clone(), f.hint.clone())).collect();
    seen.sort();
    assert_eq!(seen.len(), 4, "{findings:#?}");
    assert_eq!(seen[0].0, Some(2));
    assert_eq!(seen[0].2.as_deref(), Some("did you mean 'port'?"));
    assert!(seen[0].1.contains("expected one of bind, port, limits"), "{}", seen[0].1);
    assert!(seen[1].1.starts_with("gateway.bind: invalid type"), "{}", seen[1].1);
    assert_eq!(seen[2].0, Some(5));
    assert_eq!((seen[3].0, seen[3].2.as_deref()), (Some(6), Some("did you mean 'per_second'?")));
}

#[test]
fn an_unknown_section_and_profile_are_errors() {
    let findings = settings("gatway:\n  port: 1\nprofile: DOKCER\n", &[]).unwrap_err();
    assert_eq!(findings.len(), 2, "{findings:#?}");
    assert!(findings.iter().any(|f| f.hint.as_deref() == Some("did you mean 'gateway'?") && f.line == Some(1)));
    assert!(findings.iter().any(|f| f.hint.as_deref() == Some("did you mean DOCKER?") && f.line == Some(3)));
    let findings = settings("", &[("OCTOPUSSY__NOED__NAME", "x")]).unwrap_err();
    assert_eq!(findings[0].file, "OCTOPUSSY__NOED__NAME");
}

#[test]
fn a_wrong_value_in_the_environment_names_the_variable() {
    let settings = settings("", &[("OCTOPUSSY__GATEWAY__PORT", "soon")]).unwrap();
    let findings = settings.section::<Gateway>("gateway").unwrap_err();
    assert_eq!((findings[0].file.as_str(), findings[0].line), ("OCTOPUSSY__GATEWAY__PORT", None));
}

#[test]
fn what_install_writes_loads_and_changes_nothing() {
    for profile in Profile::ALL {
        let text = default_config_yaml(profile);
        let written = settings(&text, &[]).unwrap();
        let bare = settings(&format!("profile: {profile}"), &[]).unwrap();
        assert_eq!(written.profile(), profile);
        assert_eq!(written.values(), bare.values());
    }
}

#[test]
fn an_absent_file_is_the_profile_alone_and_a_huge_one_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let mut options = LoadOptions {
        file: home.path().join("config.yaml"),
        profile: Some(Profile::Sbc),
        sections: settings("", &[])
            .map(|_| vec!["gateway", "store", "observability", "security", "actor", "messaging"])
            .unwrap(),
        environment: Vec::new(),
    };
    assert_eq!(load(&options).unwrap().section::<Gateway>("gateway").unwrap().bind, "0.0.0.0");
    std::fs::write(&options.file, vec![b'#'; 2 * 1024 * 1024]).unwrap();
    options.profile = None;
    assert!(load(&options).unwrap_err()[0].message.contains("larger than"));
}
