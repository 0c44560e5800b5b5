//! Pages of a listing.

use octopussy_core::problem::{Code, Problem};
use serde::Deserialize;
use std::str::FromStr;
use utoipa::IntoParams;

/// The rows of a page unless the client says otherwise.
const DEFAULT: usize = 50;
/// The most rows of a page; the ledger's own bound.
const MOST: usize = 500;

/// Which page.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// What the page before named as `next`.
    after: Option<String>,
    /// At most this many rows.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
}

/// The position a listing goes on from.
pub(super) fn after<T: FromStr>(text: Option<&str>) -> Result<Option<T>, Problem>
where
    T::Err: std::fmt::Display,
{
    text.map(|text| {
        text.parse().map_err(|error: T::Err| {
            Problem::new(Code::BadRequest, format!("'after': {error}"))
                .hint("send what the page before named as 'next'")
        })
    })
    .transpose()
}

/// The bound of a page.
pub(super) fn limit(given: Option<usize>) -> Result<usize, Problem> {
    match given {
        None => Ok(DEFAULT),
        Some(limit) if (1..=MOST).contains(&limit) => Ok(limit),
        Some(limit) => Err(Problem::new(Code::BadRequest, format!("'limit' is {limit}, expected 1 to {MOST}"))),
    }
}

impl PageQuery {
    /// Position and bound.
    pub(super) fn parse<T: FromStr>(&self) -> Result<(Option<T>, usize), Problem>
    where
        T::Err: std::fmt::Display,
    {
        Ok((after(self.after.as_deref())?, limit(self.limit)?))
    }
}
