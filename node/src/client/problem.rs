//! An error as the node tells it: `application/problem+json`.

use octopussy_core::problem::Finding;
use serde::Deserialize;
use std::fmt;

/// The node's error. Every field but the status may be missing: a proxy in between speaks its own language.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ApiProblem {
    /// A short, fixed summary.
    pub(crate) title: String,
    /// The HTTP status.
    pub(crate) status: u16,
    /// What happened.
    pub(crate) detail: String,
    /// The stable code, such as `OCTO-1203`.
    pub(crate) code: Option<String>,
    /// What to do next.
    pub(crate) hint: Option<String>,
    /// When to try again.
    pub(crate) retry_after_seconds: Option<f64>,
    /// Single findings.
    pub(crate) findings: Vec<Finding>,
    /// Under which id the node's logs tell of it.
    pub(crate) trace_id: Option<String>,
}

impl ApiProblem {
    /// Reads an answer with an error status.
    pub(crate) fn read(status: u16, body: &[u8]) -> Self {
        let mut problem: Self = serde_json::from_slice(body).unwrap_or_else(|_| Self {
            detail: crate::output::shorten(&String::from_utf8_lossy(body), 300),
            ..Self::default()
        });
        problem.status = status;
        problem
    }

    /// What happened, in one sentence.
    pub(crate) fn text(&self) -> String {
        match (self.detail.as_str(), self.title.as_str()) {
            ("", "") => format!("the node answered with status {}", self.status),
            ("", title) => title.to_owned(),
            (detail, _) => detail.to_owned(),
        }
    }

    /// The node's hint, or ours where it gave none.
    pub(crate) fn way_out(&self) -> Option<String> {
        self.hint.clone().or_else(|| match (self.code.as_deref(), self.status) {
            (_, 401) => {
                Some("the token in credentials.json is not valid (any more): restart the node, it renews it".to_owned())
            }
            (_, 403) => Some("the token's role does not allow this".to_owned()),
            (Some("OCTO-1200"), _) => Some("octopussy agent list".to_owned()),
            (Some("OCTO-1202"), _) => {
                Some("octopussy agent info NAME, or choose another name in agent.yaml".to_owned())
            }
            (Some("OCTO-1300"), _) => Some("octopussy task list".to_owned()),
            (Some("OCTO-1302"), _) => Some("octopussy task list --dlq".to_owned()),
            (Some("OCTO-1400"), _) => Some("octopussy provider list".to_owned()),
            (_, 429) => {
                Some(self.retry_after_seconds.map_or_else(
                    || "try again in a moment".to_owned(),
                    |seconds| format!("try again in {seconds:.0} s"),
                ))
            }
            (_, 503) => Some("octopussy status".to_owned()),
            _ => None,
        })
    }
}

impl fmt::Display for ApiProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(code) = &self.code {
            write!(f, "{code}: ")?;
        }
        f.write_str(&self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_keeps_code_findings_and_hint() {
        let body = br#"{"type":"urn:octopussy:error:OCTO-1201","title":"The agent directory has errors","status":422,
            "detail":"2 errors","code":"OCTO-1201","hint":"mend them","findings":[
            {"file":"agent.yaml","line":3,"message":"unknown field 'nme'","hint":"did you mean 'name'?"}],"trace_id":"t"}"#;
        let problem = ApiProblem::read(422, body);
        assert_eq!(problem.code.as_deref(), Some("OCTO-1201"));
        assert_eq!(problem.findings[0].to_string(), "agent.yaml:3: unknown field 'nme' (did you mean 'name'?)");
        assert_eq!(problem.way_out().as_deref(), Some("mend them"));
    }

    #[test]
    fn an_answer_that_is_no_problem_is_shown_as_text() {
        let problem = ApiProblem::read(502, b"<html>bad gateway</html>");
        assert_eq!(problem.status, 502);
        assert!(problem.text().contains("bad gateway"));
        assert_eq!(ApiProblem::read(500, b"").text(), "the node answered with status 500");
    }

    #[test]
    fn every_refusal_has_a_way_out() {
        for status in [401, 403, 429, 503] {
            assert!(ApiProblem::read(status, b"{}").way_out().is_some(), "{status}");
        }
    }
}
