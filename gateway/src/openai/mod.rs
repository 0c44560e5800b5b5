//! The OpenAI-compatible API: an agent is a model, a conversation is a task.

mod complete;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod models;
mod request;
mod response;
mod stream;

pub(crate) use complete::{__path_complete, complete};
pub(crate) use models::{__path_model, __path_models, model, models};
pub(crate) use response::{ErrorBody, error_body};
