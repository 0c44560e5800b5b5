/// Facts were not started or not told.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    /// The facts are longer than a node's may be, without any models already. The earlier ones stay.
    #[error(
        "the facts of this node have {actual} bytes, the limit is {limit}: shorten its profile, address or GPU names"
    )]
    TooLarge {
        /// Their length.
        actual: usize,
        /// The bound.
        limit: usize,
    },
    /// The facts do not encode. The earlier ones stay.
    #[error("the facts do not encode")]
    Codec(#[from] octopussy_core::codec::CodecError),
    /// The configuration cannot work. Nothing has been started.
    #[error("{0} must not be zero")]
    Zero(&'static str),
}
