//! Chance that can be repeated.

/// A small deterministic generator (xorshift64*), so that a failing run can be repeated.
#[derive(Debug, Clone)]
pub struct Seeded(u64);

impl Seeded {
    /// A generator; neighbouring seeds do not make neighbouring runs.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `bound`, which must not be 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }
}
