//! What this build calls itself.

/// The package's version and, where it was known to the build, the commit: `0.1.0+52f12e7683`.
pub(crate) const VERSION: &str = env!("OCTOPUSSY_VERSION");
