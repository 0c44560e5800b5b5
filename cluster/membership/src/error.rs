use crate::swim::SettingsError;

/// Membership did not start. Nothing is running.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MembershipError {
    /// The settings contradict themselves.
    #[error("the settings of the membership protocol cannot work: {0}")]
    Settings(#[from] SettingsError),
}
