//! Whether a request to join is acceptable, as far as that can be told before the control group is asked. Pure.

use super::join_wire::{JoinRefusal, JoinRequest, MAX_CLOCK_SKEW, MAX_NAME, MAX_OWN_ADDRESSES, MAX_SIGNING_REQUEST};
use octopussy_control::{ControlRefusal, ControlState, JoinToken, MemberRecord};
use octopussy_core::ids::NodeId;
use octopussy_core::ports::{MemberDesired, MemberRole, TokenUse};
use octopussy_core::time::Timestamp;

/// The largest weight: a machine a hundred times as capable as another is as far as placement has been thought through.
const MAX_CAPACITY: u32 = 10_000;

/// Whether the request shows a token with which somebody may still join. It is looked at before anything is decoded further,
/// decrypted or signed: nobody without an invitation makes this node work.
pub(super) fn invited<'a>(
    request: &JoinRequest,
    control: &'a ControlState,
    now: Timestamp,
) -> Result<&'a JoinToken, JoinRefusal> {
    bounds(request)?;
    if request.clock.since(now).max(now.since(request.clock)) > MAX_CLOCK_SKEW {
        return Err(JoinRefusal::Clock { theirs: request.clock, ours: now });
    }
    let refused = |refusal| Err(JoinRefusal::Control(refusal));
    let digest = request.secret.digest();
    let Some(token) = control.tokens.get(&request.secret.id()).filter(|token| token.digest == digest) else {
        return refused(ControlRefusal::UnknownToken);
    };
    if now >= token.expires_at {
        return refused(ControlRefusal::TokenExpired);
    }
    if request.only_as_guest && token.role == MemberRole::Full {
        return refused(ControlRefusal::WrongRole { token: token.role });
    }
    Ok(token)
}

/// Everything that can be told of a request: who asks, with which token, when. Answers with the record that may be proposed.
pub(super) fn check(
    request: &JoinRequest,
    node: NodeId,
    control: &ControlState,
    now: Timestamp,
) -> Result<MemberRecord, JoinRefusal> {
    let token = invited(request, control, now)?;
    let refused = |refusal| Err(JoinRefusal::Control(refusal));
    let used = token.uses == TokenUse::Single && token.used_by.iter().any(|user| *user != node);
    if used {
        return refused(ControlRefusal::TokenUsed);
    }
    if control.departed.contains_key(&node) {
        return refused(ControlRefusal::Departed(node));
    }
    Ok(MemberRecord {
        id: node,
        name: name(request, node, control)?,
        addresses: request.addresses.clone(),
        role: token.role,
        desired: MemberDesired::Active,
        capacity: request.capacity,
        zone: request.zone.clone(),
        versions: request.versions,
        joined_at: now,
    })
}

/// The name it gets: what it asked for, or, when nobody chose that, the same with the first number that is free.
fn name(request: &JoinRequest, node: NodeId, control: &ControlState) -> Result<String, JoinRefusal> {
    let taken = |name: &str| control.members.values().any(|member| member.id != node && member.name == name);
    if !taken(&request.name) {
        return Ok(request.name.clone());
    }
    if request.name_is_chosen {
        return Err(JoinRefusal::Control(ControlRefusal::NameTaken(request.name.clone())));
    }
    // One more number than there are members: one of them is free.
    let numbers = 2..=control.members.len() + 2;
    let free = numbers.map(|number| format!("{}-{number}", request.name)).find(|name| !taken(name));
    free.ok_or_else(|| JoinRefusal::Control(ControlRefusal::NameTaken(request.name.clone())))
}

fn bounds(request: &JoinRequest) -> Result<(), JoinRefusal> {
    let bad = |what: &str| Err(JoinRefusal::BadRequest(what.to_owned()));
    if !is_name(&request.name) {
        return bad(NAME_RULE);
    }
    if request.zone.as_deref().is_some_and(|zone| !is_name(zone)) {
        return bad("the zone is not a word of at most 64 letters, digits, '-', '_' and '.'");
    }
    if request.addresses.is_empty() || request.addresses.len() > MAX_OWN_ADDRESSES {
        return bad("it names no address, or more than 16");
    }
    if request.signing_request.len() > MAX_SIGNING_REQUEST {
        return bad("the signing request is too long");
    }
    if request.capacity == 0 || request.capacity > MAX_CAPACITY {
        return bad("the capacity is not between 1 and 10000");
    }
    Ok(())
}

/// What a name has to be.
pub(crate) const NAME_RULE: &str = "the name is not a word of at most 64 letters, digits, '-', '_' and '.'";

/// Whether the text can be the name of a node or a zone.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

#[cfg(test)]
#[path = "admit_check_tests.rs"]
mod tests;
