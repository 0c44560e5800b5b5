//! The templates there are.

use super::Template;
use octopussy_core::ports::{Intent, PromptError};

/// The shipped templates, by name.
pub const TEMPLATES: [(&str, &str); 6] = [
    ("system", include_str!("../templates/system.md")),
    ("answer", include_str!("../templates/answer.md")),
    ("plan", include_str!("../templates/plan.md")),
    ("review", include_str!("../templates/review.md")),
    ("revise", include_str!("../templates/revise.md")),
    ("synthesize", include_str!("../templates/synthesize.md")),
];

/// All templates, checked.
#[derive(Debug, Clone)]
pub struct Library {
    /// In the order of [`TEMPLATES`].
    templates: [Template; TEMPLATES.len()],
}

impl Library {
    /// The shipped templates with some of them replaced.
    ///
    /// # Errors
    /// [`PromptError`]: a replacement has an unknown name or does not parse.
    pub fn new<'a>(overrides: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, PromptError> {
        let mut texts = TEMPLATES;
        for (name, text) in overrides {
            match texts.iter_mut().find(|(known, _)| *known == name) {
                Some((known, slot)) => {
                    Template::parse(known, text)?;
                    *slot = text;
                }
                None => return Err(PromptError::Unknown(name.to_owned())),
            }
        }
        let [system, answer, plan, review, revise, synthesize] = texts.map(|(name, text)| Template::parse(name, text));
        Ok(Self { templates: [system?, answer?, plan?, review?, revise?, synthesize?] })
    }

    /// The standing instruction.
    #[must_use]
    pub const fn system(&self) -> &Template {
        &self.templates[0]
    }

    /// What a call of this purpose adds.
    #[must_use]
    pub const fn of(&self, intent: Intent) -> &Template {
        match intent {
            Intent::Answer => &self.templates[1],
            Intent::Plan => &self.templates[2],
            Intent::Review => &self.templates[3],
            Intent::Revise => &self.templates[4],
            Intent::Synthesize => &self.templates[5],
        }
    }
}
