//! The documents say what the code does.

use octopussy_core::problem::Code;
use serde_json::Value;

const ERRORS: &str = include_str!("../../../docs/errors.md");
const API: &str = include_str!("../../../docs/api.md");

#[test]
fn every_code_has_its_section_with_title_and_status() {
    for code in Code::ALL {
        let heading = format!("## {code}: {}", code.title());
        let section = ERRORS.split_once(&heading).unwrap_or_else(|| panic!("docs/errors.md has no '{heading}'")).1;
        let section = section.split("\n## ").next().unwrap();
        assert!(section.contains(&format!("HTTP {}", code.status())), "{code} does not name its status");
        assert!(section.trim().len() > 80, "{code} says too little");
    }
    assert_eq!(ERRORS.matches("\n## OCTO-").count(), Code::ALL.len(), "docs/errors.md has codes that do not exist");
}

#[test]
fn every_path_of_the_api_is_described() {
    let document: Value = serde_json::from_str(crate::openapi_json()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let entry = format!("`{} {path}`", method.to_uppercase());
            assert!(API.contains(&entry), "docs/api.md does not have {entry}");
        }
    }
}

#[test]
fn the_description_documents_failures_in_the_shape_they_have() {
    let document: Value = serde_json::from_str(crate::openapi_json()).unwrap();
    let submit = &document["paths"]["/api/v1/tasks"]["post"];
    for status in
        ["200", "202", "400", "401", "403", "404", "405", "409", "413", "415", "422", "429", "500", "503", "504", "507"]
    {
        assert!(submit["responses"].get(status).is_some(), "{status} is not documented");
    }
    assert!(submit["responses"]["422"]["content"]["application/problem+json"].is_object());
    let complete = &document["paths"]["/v1/chat/completions"]["post"];
    let shape = &complete["responses"]["422"]["content"]["application/json"]["schema"]["$ref"];
    assert_eq!(shape, "#/components/schemas/OpenAiError");
    references_resolve(&document, &document);
}

/// A reference to a schema that is not there makes the document useless to every generator of clients.
fn references_resolve(value: &Value, document: &Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                let found = document.pointer(reference.strip_prefix('#').unwrap());
                assert!(found.is_some(), "{reference} is not in the document");
            }
            fields.values().for_each(|value| references_resolve(value, document));
        }
        Value::Array(items) => items.iter().for_each(|value| references_resolve(value, document)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
