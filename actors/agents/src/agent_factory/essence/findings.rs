//! What a check has found so far, bounded whatever is checked.

use octopussy_core::problem::Finding;

/// The most findings of one check: nobody mends more at once, and each travels back to whoever asked.
pub const MAX_FINDINGS: usize = 100;
/// The most characters of a finding's file, message and hint: each may quote what was sent.
const MAX_TEXT: usize = 400;

/// The findings of one check. Those beyond the limit are counted only.
#[derive(Debug, Default)]
pub(super) struct Findings {
    kept: Vec<Finding>,
    more: usize,
}

impl Findings {
    pub(super) fn push(&mut self, finding: Finding) {
        if self.kept.len() >= MAX_FINDINGS {
            self.more += 1;
            return;
        }
        self.kept.push(Finding {
            file: cut(finding.file),
            line: finding.line,
            message: cut(finding.message),
            hint: finding.hint.map(cut),
        });
    }

    /// How many there are, those that were counted only included.
    pub(super) const fn len(&self) -> usize {
        self.kept.len() + self.more
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The findings in the order of `rank`; a last one says how many are left out.
    pub(super) fn sorted(mut self, rank: impl Fn(&str) -> usize) -> Vec<Finding> {
        self.kept.sort_by(|a, b| (rank(&a.file), &a.file, a.line).cmp(&(rank(&b.file), &b.file, b.line)));
        if self.more > 0 {
            self.kept.push(Finding {
                file: ".".to_owned(),
                line: None,
                message: format!("{} more findings are left out", self.more),
                hint: Some("mend those that are shown and check again".to_owned()),
            });
        }
        self.kept
    }
}

fn cut(mut text: String) -> String {
    if let Some((at, _)) = text.char_indices().nth(MAX_TEXT) {
        text.truncate(at);
        text.push('…');
    }
    text
}
