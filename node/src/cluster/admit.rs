//! Letting machines in: what a member does when somebody comes with a token.

use super::admit_check::{check, invited};
use super::certificate_names;
use super::control_group::ControlGroup;
use super::guest_renewal::{self, RenewalRequest};
use super::join_wire::{
    HandedSecret, JoinAnswer, JoinGrant, JoinRefusal, JoinRequest, MAX_INTRODUCED, MemberKeys, decode_request,
    encode_answer,
};
use super::keys_sync;
use super::seal::DataKey;
use crate::identity::{Identity, IdentityError, PresentIdentity, requested_node};
use bytes::Bytes;
use futures::future::BoxFuture;
use octopussy_control::{ControlApplied, ControlCommand, ControlRefusal, ControlState, MemberRecord};
use octopussy_core::codec;
use octopussy_core::ports::{KeyKind, MemberRole};
use octopussy_core::time::Clock;
use octopussy_mesh::JoinHandler;
use octopussy_shard::ControlError;
use std::net::SocketAddr;
use std::sync::Arc;

/// How often another name is tried when the one that was free a moment ago is taken.
const NAME_ATTEMPTS: usize = 4;

/// Lets machines in.
#[derive(Clone)]
pub(crate) struct Admission {
    inner: Arc<Inner>,
}

struct Inner {
    identity: PresentIdentity,
    group: Arc<dyn ControlGroup>,
    key: Option<DataKey>,
    clock: Arc<dyn Clock>,
}

impl Admission {
    /// Lets machines into the cluster whose authority `identity` holds and whose shared secrets `key` opens. A guest has neither,
    /// and says who could.
    pub(crate) fn new(
        identity: PresentIdentity,
        group: Arc<dyn ControlGroup>,
        key: Option<DataKey>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { inner: Arc::new(Inner { identity, group, key, clock }) }
    }

    /// Answers a request of whoever is at `from`. What is refused is logged here in the words that are answered.
    pub(crate) async fn answer(&self, from: SocketAddr, request: &[u8]) -> Result<Bytes, Arc<str>> {
        if let Some(renewal) = guest_renewal::decode(request) {
            return self.renew(from, &renewal);
        }
        let answer = match decode_request(request) {
            Ok(request) => self.admit(request).await,
            Err(refusal) => Err(refusal),
        };
        match &answer {
            Ok(grant) => tracing::info!(
                node.id = %grant.member.id, node.name = grant.member.name, node.role = ?grant.member.role, %from,
                "a node has joined"
            ),
            Err(refusal) => tracing::warn!(%from, reason = %refusal, "a node was not let in"),
        }
        encode_answer(&answer).map(Bytes::from).map_err(|error| Arc::from(error.to_string()))
    }

    /// Answers a guest whose certificate ends soon.
    fn renew(&self, from: SocketAddr, request: &RenewalRequest) -> Result<Bytes, Arc<str>> {
        let Inner { identity, group, clock, .. } = &*self.inner;
        let answer = guest_renewal::sign(&identity.get(), &group.control(), request, clock.now());
        match &answer {
            Ok(_) => tracing::info!(%from, "the certificate of a guest was renewed"),
            Err(refusal) => tracing::warn!(%from, reason = %refusal, "a certificate was not renewed"),
        }
        codec::encode(&answer).map(Bytes::from).map_err(|error| Arc::from(error.to_string()))
    }

    async fn admit(&self, request: JoinRequest) -> JoinAnswer {
        let Inner { identity, group, key, clock } = &*self.inner;
        // One for the whole request: the key, the certificates and the signature have to be of one authority.
        let identity = identity.get();
        let (Some(authority_key), Some(key)) = (identity.authority_key(), key) else {
            let others = full_members(&group.control(), &identity);
            return Err(JoinRefusal::CannotAdmit(format!("it is a guest; use a token made at {others}")));
        };
        let role = invited(&request, &group.control(), clock.now())?.role;
        let bad = |error: IdentityError| JoinRefusal::BadRequest(error.to_string());
        let node = requested_node(&request.signing_request).map_err(bad)?;
        // Before anything is committed: what cannot be handed over must not use up the token.
        let keys = match role {
            MemberRole::Full => Some(MemberKeys {
                authority_key: authority_key.to_owned(),
                data_key: *key.expose(),
                secrets: handed(&group.control(), key)?,
            }),
            MemberRole::Guest => None,
        };
        let mut attempt = 0;
        let member = loop {
            let control = group.control();
            let member = check(&request, node, &control, clock.now())?;
            let command = ControlCommand::Join {
                member: Box::new(member.clone()),
                token: request.secret.digest(),
                now: clock.now(),
            };
            attempt += 1;
            match group.propose(command).await {
                Ok(ControlApplied::Member(member)) => break *member,
                Ok(ControlApplied::Done) => break member,
                // Somebody of the same name was let in at the same time; the copy here will know in a moment.
                Err(ControlError::Refused(ControlRefusal::NameTaken(_)))
                    if !request.name_is_chosen && attempt < NAME_ATTEMPTS =>
                {
                    tokio::time::sleep(super::COPY_CATCHES_UP).await;
                }
                Err(ControlError::Refused(refusal)) => return Err(JoinRefusal::Control(refusal)),
                Err(
                    error @ (ControlError::NoLeader
                    | ControlError::Uncertain
                    | ControlError::Busy
                    | ControlError::Store(_)
                    | ControlError::Stopping
                    | ControlError::TooLarge { .. }),
                ) => return Err(JoinRefusal::NotNow(error.to_string())),
            }
        };
        let names = certificate_names::committed(&member);
        let signed = identity.sign(&request.signing_request, &names, member.role).map_err(bad)?;
        self.grant(identity.ca_pem, member, signed, keys)
    }

    fn grant(
        &self,
        authority: String,
        member: MemberRecord,
        certificate: String,
        keys: Option<MemberKeys>,
    ) -> JoinAnswer {
        let control = self.inner.group.control();
        let cluster = control.cluster.clone().ok_or(JoinRefusal::Control(ControlRefusal::NotFounded))?;
        // Full members first: they are there for long, and one of them leads the control group.
        let mut members: Vec<MemberRecord> = control.members.values().cloned().collect();
        members.sort_by_key(|member| (member.role != MemberRole::Full, member.joined_at));
        members.truncate(MAX_INTRODUCED);
        Ok(JoinGrant { authority, keys, certificate, cluster, member, members })
    }
}

/// The shared secrets, opened.
fn handed(control: &ControlState, key: &DataKey) -> Result<Vec<HandedSecret>, JoinRefusal> {
    if KeyKind::ALL.into_iter().any(|kind| control.keys_of(kind).is_empty()) {
        return Err(JoinRefusal::NotNow("its keys are not there yet".to_owned()));
    }
    let keys = KeyKind::STORED.into_iter().map(|kind| {
        let unusable = |error: String| JoinRefusal::CannotAdmit(error);
        let set = keys_sync::opened(kind, control, key).map_err(|error| unusable(error.to_string()))?;
        let value = set.encode().map_err(|error| unusable(error.to_string()))?.to_vec();
        Ok(HandedSecret { name: kind.secret().to_owned(), value, set_at: control.now })
    });
    let open = |(name, sealed): (&String, _)| {
        let sealed: &octopussy_control::SealedSecret = sealed;
        let value = key.open(name, sealed).ok_or_else(|| {
            JoinRefusal::CannotAdmit(format!("the shared secret '{name}' does not open with its data key"))
        })?;
        Ok(HandedSecret { name: name.clone(), value: value.to_vec(), set_at: sealed.set_at })
    };
    control.secrets.iter().map(open).chain(keys).collect()
}

fn full_members(control: &ControlState, identity: &Identity) -> String {
    let names: Vec<&str> = control
        .members
        .values()
        .filter(|member| member.role == MemberRole::Full && member.id != identity.node_id)
        .map(|member| member.name.as_str())
        .collect();
    if names.is_empty() { "a full member".to_owned() } else { names.join(" or ") }
}

impl JoinHandler for Admission {
    fn join(&self, address: SocketAddr, request: Bytes) -> BoxFuture<'static, Result<Bytes, Arc<str>>> {
        let admission = self.clone();
        Box::pin(async move { admission.answer(address, &request).await })
    }
}

#[cfg(test)]
#[path = "join_tests.rs"]
mod tests;
