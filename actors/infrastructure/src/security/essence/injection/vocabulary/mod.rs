//! The words attackers cannot do without, by what they are for. Stems, as normalisation leaves them; a stem begins a word
//! unless it is in a script without spaces.

mod disclosure;
mod instructions;
mod takeover;

/// What a word is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Ignore, forget, bypass.
    Override,
    /// Previous, above, everything.
    Prior,
    /// Instructions, rules, prompts.
    Instruction,
    /// Reveal, repeat, print.
    Reveal,
    /// System prompt, your instructions.
    Hidden,
    /// Password, secret key.
    Secret,
    /// A person's data that the model was told in confidence.
    Personal,
    /// A new task, starting over.
    Anew,
    /// Asks for a role; harmless alone.
    Role,
    /// Asks for a role without limits.
    Takeover,
    /// What only a prompt template contains.
    Delimiter,
    /// Makes a tool do something.
    Tool,
    /// Claims to be somebody who may.
    Authority,
}

/// The stems of each class.
pub(super) const WORDS: &[(Class, &[&str])] = &[
    (Class::Override, instructions::OVERRIDE),
    (Class::Prior, instructions::PRIOR),
    (Class::Instruction, instructions::INSTRUCTION),
    (Class::Reveal, disclosure::REVEAL),
    (Class::Hidden, disclosure::HIDDEN),
    (Class::Secret, disclosure::SECRET),
    (Class::Personal, disclosure::PERSONAL),
    (Class::Anew, takeover::ANEW),
    (Class::Role, takeover::ROLE),
    (Class::Takeover, takeover::TAKEOVER),
    (Class::Delimiter, takeover::DELIMITER),
    (Class::Tool, takeover::TOOL),
    (Class::Authority, takeover::AUTHORITY),
];
