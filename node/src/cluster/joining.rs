//! Joining: what a machine does that has a token.

use super::home::{ClusterHome, HomeError, Membership};
use super::join_wire::{HandedSecret, JoinGrant, JoinRefusal, JoinRequest, PROTOCOL, decode_answer, encode_request};
use super::seal::DataKey;
use super::secrets_merge::{Agreed, Base};
use super::token::{JoinToken, TokenError};
use crate::identity::{self, IdentityError, NodeKey};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{FuturesUnordered, StreamExt};
use octopussy_control::{MemberRecord, VersionRange};
use octopussy_core::codec::CodecError;
use octopussy_core::ports::{KeyKind, MemberRole, SecretError, SecretName, SecretValue, SecretsPort};
use octopussy_core::time::Timestamp;
use octopussy_infrastructure::secrets::SecretsHandle;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// How long one member may take: it commits the membership before it answers.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// How often all addresses are asked while the answer is that it may work later.
const ROUNDS: u32 = 4;
/// How long an address may be silent before the next one is asked as well.
const STAGGER: Duration = Duration::from_millis(500);
/// The pause before asking again.
const PAUSE: Duration = Duration::from_secs(2);

/// What a machine wants to be.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    /// Its name.
    pub(crate) name: String,
    /// Whether somebody chose the name.
    pub(crate) name_is_chosen: bool,
    /// Whether to join as a guest or not at all. Otherwise the node becomes what the token says.
    pub(crate) only_as_guest: bool,
    /// Its weight in placement.
    pub(crate) capacity: u32,
    /// Its zone.
    pub(crate) zone: Option<String>,
    /// Where its mesh endpoint will be reached.
    pub(crate) addresses: Vec<SocketAddr>,
    /// What it understands.
    pub(crate) versions: VersionRange,
    /// Which of its lives this is.
    pub(crate) boot: u64,
}

/// The machine has not joined. Its home is as it was, or holds everything for the next start to finish the joining.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JoinFailure {
    /// The token is none.
    #[error("{0}")]
    Token(#[from] TokenError),
    /// The home is a member of another cluster.
    #[error("this home already belongs to cluster {0}: a home is in one cluster for good")]
    OtherCluster(String),
    /// There is data of a cluster.
    #[error(
        "there is data in {0} that belongs to no cluster this node knows: join with another home (--home DIR), or move the folder away if nothing in it is needed"
    )]
    Data(String),
    /// The cluster says no.
    #[error("the cluster does not let this node in: {0}")]
    Refused(JoinRefusal),
    /// Nobody answers.
    #[error("no member of the cluster answers:\n{}", .0.join("\n"))]
    Unreachable(Vec<String>),
    /// The answer does not fit.
    #[error("the cluster's answer cannot be used: {0}")]
    BadAnswer(String),
    /// The node's keys and certificates.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The files about the cluster.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The shared secrets.
    #[error("the shared secrets cannot be stored: {0}")]
    Secrets(#[from] SecretError),
}

/// The way to a member that is not connected with this machine yet.
#[async_trait]
pub(crate) trait Door: Send + Sync {
    /// Brings `request` to the member at `address`, whose cluster's authority has this fingerprint, and its answer back.
    async fn ask(
        &self,
        address: SocketAddr,
        fingerprint: [u8; 32],
        request: Bytes,
        within: Duration,
    ) -> Result<Bytes, String>;
}

/// What became of a wish to join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Joined {
    /// The node is a member now.
    Now(Membership),
    /// It was one already.
    Before(Membership),
}

/// Joins the cluster of `token`. A home that belongs to that cluster already is left as it is.
pub(crate) async fn join(
    home: &Path,
    token: &JoinToken,
    wish: &Wish,
    door: &dyn Door,
    now: impl Fn() -> Timestamp + Send + Sync,
) -> Result<Joined, JoinFailure> {
    let cluster_home = ClusterHome::of(home);
    if let Some(member) = cluster_home.membership()? {
        return if identity::is_under(home, &token.fingerprint)? {
            Ok(Joined::Before(member))
        } else {
            Err(JoinFailure::OtherCluster(member.cluster))
        };
    }
    let data = home.join("data");
    if ["log", "state.redb"].iter().any(|name| data.join(name).exists()) {
        return Err(JoinFailure::Data(data.display().to_string()));
    }
    let key = NodeKey::load_or_create(home)?;
    let grant = ask_all(&key, token, wish, door, now).await?;
    check(&key, token, wish, &grant)?;
    // From here on the home will belong to the cluster, even if this process dies in the next instant.
    cluster_home.set_journal(&grant)?;
    Ok(Joined::Now(finish(home, &cluster_home, &grant).await?))
}

/// Finishes a joining that was interrupted after the cluster had let the node in; `None` when there is none.
pub(crate) async fn resume(home: &Path) -> Result<Option<Membership>, JoinFailure> {
    let cluster_home = ClusterHome::of(home);
    match cluster_home.journal()? {
        Some(grant) => finish(home, &cluster_home, &grant).await.map(Some),
        None => Ok(None),
    }
}

/// What one round over all addresses brought.
enum Round {
    Granted(Box<JoinGrant>),
    /// It may work later.
    Refused(JoinRefusal),
    /// No address answered; what each said.
    Silent(Vec<String>),
}

/// Asks the addresses of the token, again after a pause while the answer is that it may work later.
async fn ask_all(
    key: &NodeKey,
    token: &JoinToken,
    wish: &Wish,
    door: &dyn Door,
    now: impl Fn() -> Timestamp + Send + Sync,
) -> Result<JoinGrant, JoinFailure> {
    let signing_request = key.signing_request()?;
    let mut last = JoinFailure::Unreachable(Vec::new());
    for round in 0..ROUNDS {
        if round > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        match ask_round(token, door, || request(token, wish, &signing_request, now())).await? {
            Round::Granted(grant) => return Ok(*grant),
            Round::Refused(refusal) => last = JoinFailure::Refused(refusal),
            // Nobody at all: waiting for an election would not help.
            Round::Silent(silent) => return Err(JoinFailure::Unreachable(silent)),
        }
    }
    Err(last)
}

/// Asks every address, each a little after the one before, so that one that swallows packets costs no more than that. Asking two
/// members at once does no harm: a node that is let in again is the same member.
async fn ask_round(
    token: &JoinToken,
    door: &dyn Door,
    request: impl Fn() -> JoinRequest,
) -> Result<Round, JoinFailure> {
    let unusable = |error: CodecError| JoinFailure::BadAnswer(error.to_string());
    let mut addresses = token.addresses.iter();
    let mut asked = FuturesUnordered::new();
    let (mut silent, mut refused) = (Vec::new(), None);
    loop {
        if let Some(address) = addresses.next() {
            let request = encode_request(&request()).map_err(unusable)?;
            asked.push(
                async move { (address, door.ask(*address, token.fingerprint, request.into(), ANSWER_WITHIN).await) },
            );
        }
        let answer = if addresses.len() == 0 {
            asked.next().await
        } else {
            // The next address is due when this one is silent, or has said that it is of no use.
            match tokio::time::timeout(STAGGER, asked.next()).await {
                Ok(answer) => answer,
                Err(_) => continue,
            }
        };
        match answer {
            None => break,
            Some((address, Err(error))) => silent.push(format!("  {address}: {error}")),
            Some((_, Ok(answer))) => match decode_answer(&answer).map_err(unusable)? {
                Ok(grant) => return Ok(Round::Granted(Box::new(grant))),
                Err(refusal) if refusal.may_pass() => refused = Some(refusal),
                Err(refusal) => return Err(JoinFailure::Refused(refusal)),
            },
        }
    }
    Ok(refused.map_or(Round::Silent(silent), Round::Refused))
}

fn request(token: &JoinToken, wish: &Wish, signing_request: &[u8], clock: Timestamp) -> JoinRequest {
    JoinRequest {
        protocol: PROTOCOL,
        secret: token.secret,
        signing_request: signing_request.to_vec(),
        name: wish.name.clone(),
        name_is_chosen: wish.name_is_chosen,
        only_as_guest: wish.only_as_guest,
        capacity: wish.capacity,
        zone: wish.zone.clone(),
        addresses: wish.addresses.clone(),
        versions: wish.versions,
        boot: wish.boot,
        clock,
    }
}

/// Whether the answer is what was asked for: nothing of it is kept before.
fn check(key: &NodeKey, token: &JoinToken, wish: &Wish, grant: &JoinGrant) -> Result<(), JoinFailure> {
    let authority_key = grant.keys.as_ref().map(|keys| keys.authority_key.as_str());
    identity::check_credentials(key, token.fingerprint, &grant.authority, authority_key, &grant.certificate)
        .map_err(|error| JoinFailure::BadAnswer(error.to_string()))?;
    let bad = |what: &str| Err(JoinFailure::BadAnswer(what.to_owned()));
    if grant.member.id != key.node_id {
        return bad("it is about another node");
    }
    match (grant.member.role, authority_key) {
        (MemberRole::Full, _) if wish.only_as_guest => bad("it makes a full member of a node that wants to be a guest"),
        (MemberRole::Full, None) => bad("the keys that full members share are missing"),
        (MemberRole::Guest, Some(_)) => bad("it hands the keys of full members to a guest"),
        (MemberRole::Full, Some(_)) | (MemberRole::Guest, None) => Ok(()),
    }
}

/// Puts everything in its place. Each part may be repeated, so that a crash in between is mended by the next start.
async fn finish(home: &Path, cluster_home: &ClusterHome, grant: &JoinGrant) -> Result<Membership, JoinFailure> {
    let authority_key = grant.keys.as_ref().map(|keys| keys.authority_key.as_str());
    identity::store_credentials(home, &grant.authority, authority_key, &grant.certificate)?;
    // A guest keeps secrets of its own, among them the keys of tokens that are good at itself and nowhere else.
    if let Some(keys) = &grant.keys {
        let key = DataKey::new(keys.data_key);
        cluster_home.set_data_key(&key)?;
        store_secrets(home, &keys.secrets).await?;
        cluster_home.set_secrets_base(&base(&key, &keys.secrets))?;
    }
    // Guests are reached once the control group tells of them; until then the word of full members is what this node goes by.
    let full = |member: &&MemberRecord| member.role == MemberRole::Full && member.id != grant.member.id;
    let others = grant.members.iter().filter(full);
    let others: Vec<_> = others.map(|member| (member.id, member.addresses.clone())).collect();
    cluster_home.set_introductions(&others)?;
    let membership = Membership {
        cluster: grant.cluster.id.clone(),
        name: grant.member.name.clone(),
        role: grant.member.role,
        founder: false,
        capacity: Some(grant.member.capacity),
        zone: grant.member.zone.clone(),
        settled: false,
        removed: false,
    };
    cluster_home.set_membership(&membership)?;
    cluster_home.clear_journal()?;
    Ok(membership)
}

/// The store holds the cluster's secrets and nothing else: what `install` has generated here would be valid nowhere.
async fn store_secrets(home: &Path, secrets: &[HandedSecret]) -> Result<(), SecretError> {
    let directory = home.join("secrets");
    let opened = tokio::task::spawn_blocking(move || SecretsHandle::open(&directory)).await;
    let store = opened.unwrap_or_else(|error| Err(SecretError::Io(std::io::Error::other(error))))?;
    let stored = async {
        for name in store.list().await? {
            if !secrets.iter().any(|secret| secret.name == name.as_str()) {
                store.delete(&name).await?;
            }
        }
        for secret in secrets {
            store.set(&SecretName::new(&secret.name)?, SecretValue::new(secret.value.clone())).await?;
        }
        Ok(())
    };
    let stored = stored.await;
    store.close();
    stored
}

fn base(key: &DataKey, secrets: &[HandedSecret]) -> Base {
    let agreed = |secret: &HandedSecret| {
        let digest = key.digest(&secret.name, &secret.value);
        (secret.name.clone(), Agreed { digest, set_at: secret.set_at })
    };
    // The keys that nodes make are not agreed on secret by secret.
    let shared = secrets.iter().filter(|secret| KeyKind::of_secret(&secret.name).is_none());
    Base(shared.map(agreed).collect())
}
