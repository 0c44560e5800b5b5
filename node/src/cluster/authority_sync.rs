//! The cluster's authorities as the control state has them: what this node has to do about them.

use super::home::HomeError;
use super::keys_sync::{Due, due};
use super::seal::{DataKey, NoRandomness};
use crate::identity::{CommittedAuthority, Identity, IdentityError, new_authority};
use octopussy_control::{ControlCommand, ControlState, KeyTag, SharedKey, SharedKeyPhase};
use octopussy_core::ports::KeyKind;
use octopussy_core::time::Timestamp;
use rustls::pki_types::CertificateDer;
use zeroize::Zeroizing;

const KIND: KeyKind = KeyKind::Authority;

/// The authorities are not followed. It is tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthorityError {
    /// The key of one does not open, or is none.
    #[error("the key of the cluster's authority does not open with this node's data key")]
    Sealed,
    /// There is no randomness.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The data key cannot be read.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// An authority cannot be made or used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// The command that offers this authority.
pub(super) fn offer(
    authority: &CommittedAuthority,
    data_key: &DataKey,
    now: Timestamp,
) -> Result<ControlCommand, AuthorityError> {
    let key = authority.key.as_ref().ok_or(AuthorityError::Sealed)?;
    let sealed = data_key.seal(KIND.secret(), key.as_bytes(), now)?;
    let public = authority.certificate.to_vec();
    Ok(ControlCommand::OfferKey { kind: KIND, tag: tag(&authority.certificate), sealed, public, now })
}

/// The command that offers a new authority, and its tag.
pub(super) fn offer_new(data_key: &DataKey, now: Timestamp) -> Result<(KeyTag, ControlCommand), AuthorityError> {
    let authority = new_authority(now)?;
    Ok((tag(&authority.certificate), offer(&authority, data_key, now)?))
}

/// The first sixteen bytes of the fingerprint.
fn tag(certificate: &CertificateDer<'_>) -> KeyTag {
    let fingerprint = octopussy_mesh::fingerprint(certificate);
    let mut tag = [0; 16];
    tag.copy_from_slice(&fingerprint[..16]);
    tag
}

/// The certificates of the authorities that the cluster trusts, the one that signs first, then the newest of the others.
pub(super) fn trusted(control: &ControlState) -> Vec<CertificateDer<'static>> {
    in_order(control).map(|key| CertificateDer::from(key.public.clone())).collect()
}

fn in_order(control: &ControlState) -> impl Iterator<Item = &SharedKey> {
    let others = control.keys_of(KIND).iter().rev().filter(|key| key.phase != SharedKeyPhase::Active);
    control.active_key(KIND).into_iter().chain(others)
}

/// Whether this node goes by other authorities than the cluster. A guest goes by the one that has signed its certificate as well, until it
/// has another.
pub(super) fn differs(identity: &Identity, control: &ControlState) -> bool {
    let (ours, theirs) = (identity.trusted(), trusted(control));
    if identity.authority_key().is_some() {
        // One that was let in meanwhile has the certificates, and nothing yet that leads from those before.
        let retired = |key: &&SharedKey| matches!(key.phase, SharedKeyPhase::Retired { .. });
        return ours != theirs || identity.crosses() != control.keys_of(KIND).iter().filter(retired).count();
    }
    let mut expected = vec![identity.authority().clone()];
    expected.extend(theirs.into_iter().filter(|each| each != identity.authority()));
    ours != expected
}

/// The authorities that the cluster has committed, with the keys of those that sign or have signed, for a node that has the data key.
pub(super) fn committed(
    control: &ControlState,
    data_key: Option<&DataKey>,
) -> Result<Vec<CommittedAuthority>, AuthorityError> {
    let with_key = |key: &SharedKey| {
        let certificate = CertificateDer::from(key.public.clone());
        let signs = match key.phase {
            SharedKeyPhase::Active | SharedKeyPhase::Retired { .. } => true,
            SharedKeyPhase::Offered { .. } => false,
        };
        let key = match data_key.filter(|_| signs) {
            Some(data_key) => Some(opened(key, data_key)?),
            None => None,
        };
        Ok(CommittedAuthority { certificate, key })
    };
    in_order(control).map(with_key).collect()
}

fn opened(key: &SharedKey, data_key: &DataKey) -> Result<Zeroizing<String>, AuthorityError> {
    let bytes = data_key.open(KIND.secret(), &key.sealed).ok_or(AuthorityError::Sealed)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| AuthorityError::Sealed)?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// What a full member that goes by the cluster's authorities has to propose now.
pub(super) fn proposal(
    identity: &Identity,
    control: &ControlState,
    data_key: impl FnOnce() -> Result<DataKey, AuthorityError>,
    now: Timestamp,
) -> Result<Option<ControlCommand>, AuthorityError> {
    if control.keys_of(KIND).is_empty() {
        let data_key = data_key()?;
        if control.owes_key(KIND) {
            return offer_new(&data_key, now).map(|(_, command)| Some(command));
        }
        // The cluster goes on with the authority that it was founded with.
        let founders = CommittedAuthority {
            certificate: identity.authority().clone(),
            key: identity.authority_key().map(|key| Zeroizing::new(key.to_owned())),
        };
        return offer(&founders, &data_key, now).map(Some);
    }
    let node = identity.node_id;
    match control.offered_key(KIND) {
        Some(offered) => Ok(match due(offered, node, now) {
            Due::Nothing => None,
            Due::Tell => Some(ControlCommand::KnowKey { kind: KIND, tag: offered.tag, node, now }),
            Due::Activate => Some(ControlCommand::ActivateKey { kind: KIND, tag: offered.tag, now }),
        }),
        None if control.owes_key(KIND) => {
            tracing::warn!(
                "somebody who is no member any more has the authority's key: another authority takes its place"
            );
            offer_new(&data_key()?, now).map(|(_, command)| Some(command))
        }
        None => Ok(None),
    }
}
