//! The template language: text, `{{variable}}`, and `{{#if variable}}…{{/if}}`, which may be nested.

use octopussy_core::ports::PromptError;
use std::borrow::Cow;

macro_rules! variables {
    ($($(#[$doc:meta])* $variant:ident $name:literal;)*) => {
        /// What a template may name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Variable { $($(#[$doc])* $variant,)* }

        impl Variable {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// As it stands in a template.
            #[must_use]
            pub const fn name(self) -> &'static str { match self { $(Self::$variant => $name,)* } }
        }
    };
}

variables! {
    /// The agent's name.
    Name "name";
    /// The agent's description.
    Description "description";
    /// The agent's persona.
    Persona "persona";
    /// The agent's goal.
    Goal "goal";
    /// What the agent may do, in prose.
    Permissions "permissions";
    /// The shape of the answer.
    Format "format";
    /// What this call is for (in `system` only).
    Instruction "instruction";
    /// The task.
    Input "input";
    /// The draft under review.
    Draft "draft";
    /// What the review said.
    Review "review";
}

/// The values of the variables; what is not set is empty.
#[derive(Debug, Default)]
pub struct Values<'a>([Cow<'a, str>; Variable::ALL.len()]);

impl<'a> Values<'a> {
    /// Sets a variable, without the white space around it.
    pub fn set(&mut self, variable: Variable, value: impl Into<Cow<'a, str>>) {
        self.0[variable as usize] = match value.into() {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
            Cow::Owned(text) => Cow::Owned(text),
        };
    }

    fn get(&self, variable: Variable) -> &str {
        &self.0[variable as usize]
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Text(String),
    Value(Variable),
    If(Variable, Vec<Node>),
}

/// A template that has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Node>);

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// [`PromptError::Syntax`] and [`PromptError::UnknownVariable`], with the line.
    pub fn parse(name: &str, text: &str) -> Result<Self, PromptError> {
        let mut parser = Parser { name, stack: vec![(None, Vec::new())], line: 1 };
        let mut rest = text;
        while let Some(begin) = rest.find("{{") {
            parser.text(&rest[..begin]);
            let tail = &rest[begin + 2..];
            let Some(end) = tail.find("}}") else {
                return Err(parser.syntax("'{{' is not closed by '}}'".to_owned()));
            };
            parser.tag(tail[..end].trim())?;
            parser.count(&tail[..end]);
            rest = &tail[end + 2..];
        }
        parser.text(rest);
        parser.finish().map(Self)
    }

    /// Puts the values in.
    #[must_use]
    pub fn render(&self, values: &Values<'_>) -> String {
        let mut out = String::with_capacity(1024);
        render(&self.0, values, &mut out);
        out.truncate(out.trim_end().len());
        out
    }
}

fn render(nodes: &[Node], values: &Values<'_>, out: &mut String) {
    for node in nodes {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Value(variable) => out.push_str(values.get(*variable)),
            Node::If(variable, inner) => {
                if !values.get(*variable).is_empty() {
                    render(inner, values, out);
                }
            }
        }
    }
}

/// An open block: what it asks for and where it began, and what is in it. The outermost one, the template, asks for nothing.
type Block = (Option<(Variable, u32)>, Vec<Node>);

struct Parser<'a> {
    name: &'a str,
    /// The open blocks, the outermost first.
    stack: Vec<Block>,
    line: u32,
}

impl Parser<'_> {
    fn syntax(&self, detail: String) -> PromptError {
        PromptError::Syntax { template: self.name.to_owned(), line: self.line, detail }
    }

    fn count(&mut self, text: &str) {
        let lines = text.bytes().filter(|byte| *byte == b'\n').count();
        self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
    }

    fn push(&mut self, node: Node) {
        if let Some((_, nodes)) = self.stack.last_mut() {
            nodes.push(node);
        }
    }

    fn text(&mut self, text: &str) {
        if !text.is_empty() {
            self.push(Node::Text(text.to_owned()));
        }
        self.count(text);
    }

    fn variable(&self, name: &str) -> Result<Variable, PromptError> {
        Variable::ALL.iter().copied().find(|variable| variable.name() == name).ok_or_else(|| {
            PromptError::UnknownVariable { template: self.name.to_owned(), line: self.line, variable: name.to_owned() }
        })
    }

    fn tag(&mut self, tag: &str) -> Result<(), PromptError> {
        if let Some(condition) = tag.strip_prefix("#if ") {
            let variable = self.variable(condition.trim())?;
            self.stack.push((Some((variable, self.line)), Vec::new()));
        } else if tag == "/if" {
            match self.stack.pop() {
                Some((Some((variable, _)), nodes)) => self.push(Node::If(variable, nodes)),
                Some((None, _)) | None => return Err(self.syntax("'{{/if}}' without '{{#if …}}'".to_owned())),
            }
        } else if tag.starts_with(['#', '/']) {
            return Err(self.syntax(format!("'{{{{{tag}}}}}' is neither '{{{{#if variable}}}}' nor '{{{{/if}}}}'")));
        } else {
            let variable = self.variable(tag)?;
            self.push(Node::Value(variable));
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Node>, PromptError> {
        match self.stack.pop() {
            Some((Some((variable, line)), _)) => {
                self.line = line;
                Err(self.syntax(format!("'{{{{#if {}}}}}' is not closed by '{{{{/if}}}}'", variable.name())))
            }
            Some((None, nodes)) => Ok(nodes),
            None => Ok(Vec::new()),
        }
    }
}
