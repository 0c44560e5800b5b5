//! How a guest gets a new certificate: it has nothing to sign with, so it asks full members, at the door where machines join. It needs
//! no token there: the request proves that it has the key of a member, and what it gets is of use to nobody without that key.

use super::authority_sync;
use super::certificate_names;
use super::join_wire::{JoinRefusal, MAX_SIGNING_REQUEST};
use super::joining::Door;
use crate::identity::{self, Identity, IdentityError, NodeKey};
use bytes::Bytes;
use octopussy_control::{ControlRefusal, ControlState};
use octopussy_core::codec::{self, CodecError};
use octopussy_core::ports::{MemberDesired, MemberRole};
use octopussy_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// What stands where a request to join has its version. A member that does not know it refuses it as a version that is too new.
const RENEWAL: u16 = 0x101;
/// How long one member may take: it only has to sign.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How many addresses are asked before it is tried again later.
const MAX_ASKED: usize = 16;

/// "Make me a new certificate." Fields are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RenewalRequest {
    kind: u16,
    /// A certificate signing request in DER (PKCS #10), of which only the key counts.
    signing_request: Vec<u8>,
}

/// The certificate in PEM, or why there is none.
pub(crate) type RenewalAnswer = Result<String, JoinRefusal>;

/// The guest has no new certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GuestRenewalError {
    /// Nobody signs.
    #[error("no full member makes a new one: {}", .0.join("; "))]
    Nobody(Vec<String>),
    /// The key or the answer.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The request cannot be written.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// The request in these bytes; `None` when they are about something else.
pub(super) fn decode(bytes: &[u8]) -> Option<RenewalRequest> {
    let (kind, _) = postcard::take_from_bytes::<u16>(bytes.get(1..)?).ok()?;
    if kind == RENEWAL { codec::decode(bytes).ok() } else { None }
}

/// Signs for a guest of the cluster that has this node's authority, and for nobody else.
pub(super) fn sign(ours: &Identity, control: &ControlState, request: &RenewalRequest, now: Timestamp) -> RenewalAnswer {
    let bad = |what: &str| Err(JoinRefusal::BadRequest(what.to_owned()));
    if ours.authority_key().is_none() {
        return Err(JoinRefusal::CannotAdmit("it is a guest".to_owned()));
    }
    if request.signing_request.len() > MAX_SIGNING_REQUEST {
        return bad("the request for a certificate is too long");
    }
    let unreadable = |error: IdentityError| JoinRefusal::BadRequest(error.to_string());
    let node = identity::requested_node(&request.signing_request).map_err(unreadable)?;
    if control.departed.contains_key(&node) {
        return Err(JoinRefusal::Control(ControlRefusal::Departed(node)));
    }
    let Some(member) = control.members.get(&node) else { return bad("no member of the cluster has this key") };
    if member.desired == MemberDesired::Leaving {
        return bad("the member is leaving the cluster");
    }
    match member.role {
        MemberRole::Full => bad("a full member makes its certificate itself"),
        MemberRole::Guest => {
            let names = certificate_names::committed(member);
            ours.sign_at(&request.signing_request, &names, MemberRole::Guest, now).map_err(unreadable)
        }
    }
}

/// Asks full members for a new certificate of the authority that signs now, and keeps it in `home/tls`.
pub(super) async fn ask(
    home: &Path,
    identity: &Identity,
    control: &ControlState,
    door: &dyn Door,
) -> Result<(), GuestRenewalError> {
    let key = NodeKey::load_or_create(home)?;
    let request = RenewalRequest { kind: RENEWAL, signing_request: key.signing_request()? };
    let request = Bytes::from(codec::encode(&request)?);
    let mut authorities = authority_sync::trusted(control);
    // A member that has not followed yet is known by the one that has signed this guest's certificate.
    authorities.extend(identity.trusted().into_iter().filter(|each| !authorities.contains(each)).collect::<Vec<_>>());
    let wanted: Vec<[u8; 32]> = authorities.iter().map(octopussy_mesh::fingerprint).collect();
    let (Some(signing), ca_pem) = (wanted.first(), identity::to_pem(&authorities)) else {
        return Err(GuestRenewalError::Nobody(vec!["the cluster has no authority".to_owned()]));
    };
    let mut failures = Vec::new();
    for address in full_members(control) {
        let answer = ask_one(door, address, &wanted, &request).await;
        let answer = answer.and_then(|bytes| codec::decode::<RenewalAnswer>(&bytes).map_err(|error| error.to_string()));
        match answer.map(|answer| answer.map_err(|refusal| refusal.to_string())) {
            Ok(Ok(pem)) => match identity::check_credentials(&key, *signing, &ca_pem, None, &pem) {
                Ok(()) => {
                    identity::store_credentials(home, &ca_pem, None, &pem)?;
                    return Ok(());
                }
                Err(error) => failures.push(format!("{address}: {error}")),
            },
            Ok(Err(reason)) | Err(reason) => failures.push(format!("{address}: {reason}")),
        }
    }
    Err(GuestRenewalError::Nobody(failures))
}

/// Asks at one address, under the authority that signs or one that the member may show still.
async fn ask_one(
    door: &dyn Door,
    address: SocketAddr,
    authorities: &[[u8; 32]],
    request: &Bytes,
) -> Result<Bytes, String> {
    let mut failure = String::new();
    for authority in authorities {
        match door.ask(address, *authority, request.clone(), ANSWER_WITHIN).await {
            Ok(answer) => return Ok(answer),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// One address of each full member first, then the others'.
fn full_members(control: &ControlState) -> Vec<SocketAddr> {
    let full = || control.members.values().filter(|member| member.role == MemberRole::Full);
    let first = full().filter_map(|member| member.addresses.first().copied());
    let others = full().flat_map(|member| member.addresses.iter().skip(1).copied());
    first.chain(others).take(MAX_ASKED).collect()
}
