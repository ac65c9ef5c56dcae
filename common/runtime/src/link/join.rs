//! How a stranger with a token becomes a member; see `common::wire::join` for the proof.
//!
//! The stranger's key is made here and never leaves the machine. The proof is sent only to a member
//! of the authority that the token names, and of a role that may take it, so that an impostor
//! learns nothing.

use std::net::SocketAddr;
use std::time::Duration;

use common::report::{Refusal, chain};
use common::wire::PROTOCOL;
use common::wire::join::{EXPORT_LABEL, JoinAnswer, JoinRequest, Kind, RelayedJoin, Token, proof};
use quinn::Connection;
use rcgen::{KeyPair, PublicKeyData as _};
use tokio::time::timeout;

use super::connection::own_certificate;
use super::crowd::Place;
use super::endpoint::{LinkOptions, Sockets};
use super::error::code;
use super::identity::{Identity, IdentityError, Role, fingerprint};
use super::stream::{FrameReader, FrameSender, FrameWriter};
use super::{LinkError, certificate, tls};

/// How long a stranger may take to send its question.
const QUESTION_LIMIT: Duration = Duration::from_secs(5);

/// How long a stranger waits for its answer: the service node may have to ask the management node.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// How long an answer may take to be delivered.
const DELIVERY_LIMIT: Duration = Duration::from_secs(3);

/// Why there is no new identity.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The token was not accepted. Another attempt with it does not help.
    #[error("{address} refused the token: {reason}")]
    Refused {
        /// Who.
        address: SocketAddr,
        /// In its words.
        reason: String,
    },
    /// Who can sign is out of reach. Another attempt may help.
    #[error("{address} cannot do it now: {reason}")]
    Later {
        /// Who.
        address: SocketAddr,
        /// In its words.
        reason: String,
    },
    /// Who answers there does not belong to the authority of the token. Nothing was given away.
    #[error("{address} does not belong to the authority of this token: {why}")]
    Impostor {
        /// Where.
        address: SocketAddr,
        /// What does not fit.
        why: String,
    },
    /// Nobody answered usefully. Another attempt may help.
    #[error("{address} did not answer")]
    Unreachable {
        /// Where.
        address: SocketAddr,
        /// What happened.
        #[source]
        source: LinkError,
    },
    /// The answer is not usable.
    #[error("{address} sent a certificate that is not the one asked for: {why}")]
    BadAnswer {
        /// Who.
        address: SocketAddr,
        /// What is wrong with it.
        why: String,
    },
    /// No key can be made here.
    #[error("cannot make a key")]
    Key(#[source] rcgen::Error),
    /// The token names no address.
    #[error("the token names no address")]
    NoAddress,
}

impl JoinError {
    /// Whether asking again, with the same token, can help.
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Later { .. } | Self::Unreachable { .. })
    }

    /// For the person who typed the command.
    pub fn refusal(&self, token: &Token) -> Refusal {
        let refusal = Refusal::new("has not joined").about(&token.name).because(chain(self));
        refusal.attempt(match self {
            Self::Refused { .. } => "make a new token: each is good for one member, once",
            Self::Later { .. } => "ask again when the management node is up",
            Self::Impostor { .. } | Self::BadAnswer { .. } => {
                "check that the token is from this cluster, and the clocks of both machines"
            }
            Self::Unreachable { .. } => "check the network and that the daemon runs there, then ask again",
            Self::Key(_) => "see what the system says about its random numbers",
            Self::NoAddress => "make a new token",
        })
    }
}

/// Turns a token into an identity: asks each of its addresses in turn until one says yes or no.
///
/// # Errors
/// What the most useful of the answers was: a refusal, else "later", else the last failure.
pub async fn join(token: &Token) -> Result<Identity, JoinError> {
    let key = KeyPair::generate().map_err(JoinError::Key)?;
    let mut best = JoinError::NoAddress;
    for &address in &token.addresses {
        match ask(token, address, &key).await {
            Ok(identity) => return Ok(identity),
            Err(refused @ JoinError::Refused { .. }) => return Err(refused),
            // "Later" says more than silence.
            Err(_) if matches!(best, JoinError::Later { .. }) => {}
            Err(error) => best = error,
        }
    }
    Err(best)
}

async fn ask(token: &Token, address: SocketAddr, key: &KeyPair) -> Result<Identity, JoinError> {
    let unreachable = |source| JoinError::Unreachable { address, source };
    let options = LinkOptions::default();
    let crypto = tls::stranger_client(token.authority).map_err(LinkError::Tls).map_err(unreachable)?;
    let sockets = Sockets::new(crypto, options);
    let connected = match timeout(options.connect, sockets.dial(address).map_err(unreachable)?).await {
        Err(_) => Err(LinkError::Slow { address }),
        Ok(connected) => connected.map_err(|source| LinkError::Handshake { address, source }),
    };
    let connection = connected.map_err(|error| match error.we_refused() {
        Some(why) => JoinError::Impostor { address, why: why.to_owned() },
        None => unreachable(error),
    })?;
    check_answerer(token, address, &connection)?;
    let answer = timeout(ANSWER_LIMIT, exchange(token, &connection, key))
        .await
        .map_err(|_| unreachable(LinkError::Silence))?
        .map_err(unreachable)?;
    sockets.close().await;
    match answer {
        JoinAnswer::Refused(reason) => Err(JoinError::Refused { address, reason }),
        JoinAnswer::Later(reason) => Err(JoinError::Later { address, reason }),
        JoinAnswer::Welcome { chain, slice_key } => {
            welcome(token, key, chain, slice_key).map_err(|why| JoinError::BadAnswer { address, why })
        }
    }
}

/// A member of the right authority is not enough: another node's agent is one too.
fn check_answerer(token: &Token, address: SocketAddr, connection: &Connection) -> Result<(), JoinError> {
    let impostor = |why: String| JoinError::Impostor { address, why };
    let own = own_certificate(connection).ok_or_else(|| impostor("it showed no certificate".to_owned()))?;
    let role = certificate::read(&own).map_err(|why| impostor(format!("its certificate {why}")))?.role;
    match (token.kind, &role) {
        (_, Role::ManagementNode) | (Kind::Agent, Role::ServiceNode(_)) => Ok(()),
        _ => Err(impostor(format!("it is {role}, who admits nobody"))),
    }
}

async fn exchange(token: &Token, connection: &Connection, key: &KeyPair) -> Result<JoinAnswer, LinkError> {
    let public_key = key.subject_public_key_info();
    let exported = exported(connection)?;
    let proof = proof(&token.secret, &exported, &public_key);
    let (send, receive) = connection.open_bi().await.map_err(LinkError::Ended)?;
    let mut sender = FrameWriter::new(send);
    let request =
        JoinRequest { protocol: PROTOCOL, kind: token.kind, name: token.name.clone(), public_key, proof };
    sender.send(&request).await?;
    sender.finish();
    FrameReader::new(receive).expect().await
}

/// Checks what was granted: our key, our name, our authority; the error completes a sentence.
fn welcome(
    token: &Token,
    key: &KeyPair,
    chain: Vec<Vec<u8>>,
    slice_key: [u8; 32],
) -> Result<Identity, String> {
    let [own, authority] = chain.as_slice() else { return Err("the chain has not two parts".to_owned()) };
    if fingerprint(authority) != token.authority {
        return Err("it is of another authority".to_owned());
    }
    tls::check_chain(own, authority).map_err(|error| error.to_string())?;
    let identity = Identity::assemble(key.serialize_der(), chain, slice_key)
        .map_err(|error: IdentityError| error.to_string())?;
    let wanted = match token.kind {
        Kind::ServiceNode => Role::ServiceNode((&token.name).into()),
        Kind::Agent => Role::Agent(token.name.clone()),
        Kind::Operator => Role::Operator(token.name.clone()),
    };
    if identity.role() != &wanted {
        return Err(format!("it is for {}", identity.role()));
    }
    Ok(identity)
}

fn exported(connection: &Connection) -> Result<[u8; 32], LinkError> {
    let mut bytes = [0; 32];
    connection
        .export_keying_material(&mut bytes, EXPORT_LABEL, b"")
        .map_err(|_| LinkError::NoKeyingMaterial)?;
    Ok(bytes)
}

/// A stranger who wants to join: first [`Self::request`], then [`Self::answer`].
#[derive(Debug)]
pub struct JoinLink {
    connection: Connection,
    exported: [u8; 32],
    sender: Option<FrameSender>,
    _place: Place,
}

impl JoinLink {
    pub(super) fn admit(connection: Connection, place: Place) -> Result<Self, LinkError> {
        // One question; the stranger's other streams are not even seen.
        connection.set_max_concurrent_bi_streams(quinn::VarInt::from_u32(1));
        let exported = exported(&connection)?;
        Ok(Self { connection, exported, sender: None, _place: place })
    }

    /// Its question, with this session's keying material. Waits a few seconds at most.
    ///
    /// # Errors
    /// When no question comes, or none that can be read.
    pub async fn request(&mut self) -> Result<RelayedJoin, LinkError> {
        let question = async {
            let (send, receive) = self.connection.accept_bi().await.map_err(LinkError::Ended)?;
            let request = FrameReader::new(receive).expect().await?;
            Ok::<_, LinkError>((FrameWriter::new(send), request))
        };
        let (sender, request) = timeout(QUESTION_LIMIT, question).await.map_err(|_| LinkError::Silence)??;
        self.sender = Some(sender);
        Ok(RelayedJoin { request, exported: self.exported })
    }

    /// Answers, waits a moment until the answer has arrived, and closes.
    ///
    /// # Errors
    /// When the stranger is gone, or has asked nothing.
    pub async fn answer(self, answer: JoinAnswer) -> Result<(), LinkError> {
        let mut sender = self.sender.ok_or(LinkError::CutShort)?;
        sender.send(&answer).await?;
        sender.finish();
        let delivered = timeout(DELIVERY_LIMIT, sender.delivered()).await;
        self.connection.close(code::DONE, b"answered");
        delivered.map_err(|_| LinkError::Silence)
    }

    /// Where the stranger is.
    pub fn peer_address(&self) -> SocketAddr {
        self.connection.remote_address()
    }
}
