//! Links between real endpoints on loopback.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use common::slice::JoinSecret;
use common::wire::Opening;
use common::wire::join::{JoinAnswer, Kind, RelayedJoin, Token, proves};
use rcgen::{KeyPair, PublicKeyData as _};
use tempfile::TempDir;
use tokio::time::timeout;

use super::authority::Authority;
use super::connection::Link;
use super::endpoint::{Arrived, Dialer, LinkOptions, Listener};
use super::identity::{Identity, Role};
use super::join::{JoinError, JoinLink, join};
use super::{LinkError, tls};
use crate::clock;

/// No test waits longer than this for anything.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), what).await.expect("it happens soon")
}

struct Site {
    _dir: TempDir,
    authority: Authority,
}

impl Site {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::create(dir.path(), "test").unwrap();
        Self { _dir: dir, authority }
    }

    fn member(&self, role: Role) -> Identity {
        let key = KeyPair::generate().unwrap();
        let chain = self.authority.certify(&role, &key.subject_public_key_info(), 1).unwrap();
        Identity::assemble(key.serialize_der(), chain, self.authority.slice_key()).unwrap()
    }

    fn listener(&self, role: Role) -> (Listener, SocketAddr) {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), &self.member(role)).unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }
}

fn sn1() -> Role {
    Role::ServiceNode("sn1".parse().unwrap())
}

fn agent() -> Role {
    Role::Agent("n1".parse().unwrap())
}

async fn arrive(listener: &Listener) -> Result<Arrived, LinkError> {
    listener.accept().await.expect("the listener is open").establish().await
}

async fn member(listener: &Listener) -> Link {
    match arrive(listener).await.unwrap() {
        Arrived::Member(link) => link,
        Arrived::Stranger(_) => panic!("a member was expected"),
    }
}

async fn stranger(listener: &Listener) -> JoinLink {
    match arrive(listener).await.unwrap() {
        Arrived::Stranger(link) => link,
        Arrived::Member(_) => panic!("a stranger was expected"),
    }
}

#[tokio::test]
async fn two_members_see_each_other_as_they_are_and_talk_both_ways() {
    let site = Site::new();
    let (listener, address) = site.listener(sn1());
    let identity = site.member(agent());
    let dialer = Dialer::new(&identity).unwrap();
    let expect = sn1();
    let (dialed, accepted) =
        soon(async { tokio::join!(dialer.connect(address, &expect), member(&listener)) }).await;
    let dialed = dialed.unwrap();
    assert_eq!((dialed.peer(), accepted.peer()), (&sn1(), &agent()));
    assert_eq!(Some(accepted.peer_key()), identity.key_digest());

    soon(async {
        let (mut to_sn, mut from_sn) = dialed.open().await.unwrap();
        to_sn.send(&Opening::Control).await.unwrap();
        let (mut to_agent, mut from_agent) = accepted.accept().await.unwrap();
        assert_eq!(from_agent.expect::<Opening>().await.unwrap(), Opening::Control);
        to_agent.send(&"hello").await.unwrap();
        to_agent.finish();
        assert_eq!(from_sn.recv::<String>().await.unwrap().as_deref(), Some("hello"));
        assert!(from_sn.recv::<String>().await.unwrap().is_none());

        let (mut to_agent, _keep) = accepted.open().await.unwrap();
        to_agent.send(&7u8).await.unwrap();
        let (_keep, mut from_sn) = dialed.accept().await.unwrap();
        assert_eq!(from_sn.expect::<u8>().await.unwrap(), 7);
    })
    .await;
}

#[tokio::test]
async fn a_client_of_a_foreign_authority_is_refused_and_can_tell() {
    let (ours, theirs) = (Site::new(), Site::new());
    let (listener, address) = ours.listener(sn1());
    // It pins our authority, so that it gets as far as showing its foreign certificate.
    let foreign = theirs.member(agent());
    let key = foreign.key();
    let own = foreign.chain().remove(0).to_vec();
    let chain = vec![own, ours.member(agent()).authority().to_vec()];
    let mixed = Identity::assemble(key.secret_der().to_vec(), chain, [0; 32]).unwrap();
    let dialer = Dialer::new(&mixed).unwrap();
    let expect = sn1();
    let (dialed, arrived) =
        soon(async { tokio::join!(dialer.connect(address, &expect), arrive(&listener)) }).await;
    assert!(matches!(arrived, Err(LinkError::Handshake { .. })), "{arrived:?}");
    // In TLS 1.3 the dialer may believe for a moment that all is well.
    let ended = match dialed {
        Ok(link) => soon(link.closed()).await,
        Err(error) => error,
    };
    assert!(ended.refused_us().is_some(), "{ended:?}");
}

#[tokio::test]
async fn a_server_of_a_foreign_authority_is_refused() {
    let (ours, theirs) = (Site::new(), Site::new());
    let (listener, address) = theirs.listener(sn1());
    let dialer = Dialer::new(&ours.member(agent())).unwrap();
    let expect = sn1();
    let (dialed, arrived) =
        soon(async { tokio::join!(dialer.connect(address, &expect), arrive(&listener)) }).await;
    let refused = dialed.unwrap_err();
    assert!(refused.we_refused().is_some() && refused.refused_us().is_none(), "{refused:?}");
    assert!(arrived.is_err());
}

#[tokio::test]
async fn a_member_with_another_role_than_meant_is_refused() {
    let site = Site::new();
    let (listener, address) = site.listener(sn1());
    let dialer = Dialer::new(&site.member(agent())).unwrap();
    let expect = Role::ServiceNode("sn2".parse().unwrap());
    let (dialed, accepted) =
        soon(async { tokio::join!(dialer.connect(address, &expect), member(&listener)) }).await;
    let refused = dialed.unwrap_err();
    assert!(matches!(refused, LinkError::WrongRole { .. }), "{refused:?}");
    assert_eq!(soon(accepted.closed()).await.refused_us().as_deref(), Some("another was meant"));
}

#[tokio::test]
async fn an_agent_of_another_name_is_seen_under_its_own() {
    let site = Site::new();
    let (listener, address) = site.listener(sn1());
    let other = Role::Agent("n2".parse().unwrap());
    let dialer = Dialer::new(&site.member(other.clone())).unwrap();
    let expect = sn1();
    let (dialed, accepted) =
        soon(async { tokio::join!(dialer.connect(address, &expect), member(&listener)) }).await;
    assert_eq!(accepted.peer(), &other);
    // As a service node does that serves n1 alone.
    accepted.refuse("n2 is not served here");
    let ended = soon(dialed.unwrap().closed()).await;
    assert_eq!(ended.refused_us().as_deref(), Some("n2 is not served here"));
}

/// A client that has no certificate and asks for `alpn`.
async fn bare_client(
    site: &Site,
    address: SocketAddr,
    alpn: &[u8],
) -> Result<quinn::Connection, quinn::ConnectionError> {
    let crypto = tls::stranger_client_for(site.authority.fingerprint(), alpn).unwrap();
    let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let config = quinn::ClientConfig::new(std::sync::Arc::new(crypto));
    endpoint.connect_with(config, address, "drover").unwrap().await
}

#[tokio::test]
async fn a_client_without_a_certificate_is_no_member() {
    let site = Site::new();
    let (listener, address) = site.listener(sn1());
    let client = bare_client(&site, address, common::wire::ALPN_MEMBER);
    let (client, arrived) = soon(async { tokio::join!(client, arrive(&listener)) }).await;
    assert!(matches!(arrived, Err(LinkError::NoCertificate { .. })), "{arrived:?}");
    let ended = LinkError::Ended(soon(client.unwrap().closed()).await);
    assert!(ended.refused_us().is_some(), "{ended:?}");
}

#[tokio::test]
async fn an_unknown_protocol_is_refused() {
    let site = Site::new();
    let (listener, address) = site.listener(sn1());
    let (client, arrived) =
        soon(async { tokio::join!(bare_client(&site, address, b"h3"), arrive(&listener)) }).await;
    assert!(client.is_err() && arrived.is_err());
}

#[tokio::test]
async fn packets_that_are_no_quic_keep_nobody_out() {
    let site = Site::new();
    let (listener, address) = site.listener(sn1());
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for len in [0, 1, 20, 1200, 1400] {
        for byte in [0x00, 0x40, 0xc0, 0xff] {
            socket.send_to(&vec![byte; len], address).await.unwrap();
        }
    }
    let dialer = Dialer::new(&site.member(agent())).unwrap();
    let expect = sn1();
    let (dialed, _) = soon(async { tokio::join!(dialer.connect(address, &expect), member(&listener)) }).await;
    dialed.unwrap();
}

#[tokio::test]
async fn a_peer_that_sends_garbage_gets_an_error_and_no_panic() {
    let site = Site::new();
    let (listener, address) = site.listener(sn1());
    let dialer = Dialer::new(&site.member(agent())).unwrap();
    let expect = sn1();
    let (dialed, accepted) =
        soon(async { tokio::join!(dialer.connect(address, &expect), member(&listener)) }).await;
    let dialed = dialed.unwrap();
    for garbage in [&b"\xff\xff\xff\xff\x00"[..], b"\x00\x00\x00\x02\xff\xff", b"\x00\x00\x00"] {
        soon(async {
            let (mut send, _keep) = dialed.open().await.unwrap();
            send.send_bytes(garbage).await.unwrap();
            send.finish();
            let (_keep, mut receive) = accepted.accept().await.unwrap();
            assert!(receive.recv::<Opening>().await.is_err());
        })
        .await;
    }
}

#[tokio::test]
async fn the_death_of_a_peer_is_noticed_within_the_idle_time() {
    let site = Site::new();
    let (listener, address) = site.listener(sn1());
    // A relay whose end is like a pulled cable: nobody says good-bye.
    let relay = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let relayed = relay.local_addr().unwrap();
    let carrying = tokio::task::JoinSet::from_iter([async move {
        let mut client = None;
        let mut packet = vec![0; 2048];
        loop {
            let (len, from) = relay.recv_from(&mut packet).await.unwrap();
            if from != address {
                client = Some(from);
            }
            let to = if from == address { client } else { Some(address) };
            if let Some(to) = to {
                relay.send_to(&packet[..len], to).await.unwrap();
            }
        }
    }]);
    let options = LinkOptions {
        keep_alive: Duration::from_millis(300),
        idle: Duration::from_millis(1000),
        ..LinkOptions::default()
    };
    let dialer = Dialer::with_options(&site.member(agent()), options).unwrap();
    let expect = sn1();
    let (dialed, accepted) =
        soon(async { tokio::join!(dialer.connect(relayed, &expect), member(&listener)) }).await;
    let dialed = dialed.unwrap();
    // Quiet for longer than the idle time, the link stands: the dialer keeps it alive.
    assert!(timeout(Duration::from_millis(2000), dialed.closed()).await.is_err());
    drop(carrying);
    let cut = clock::now();
    soon(async { tokio::join!(dialed.closed(), accepted.closed()) }).await;
    let noticed = clock::now().since(cut);
    assert!(noticed < Duration::from_secs(4), "{noticed:?}");
}

#[tokio::test]
async fn a_dialer_goes_on_after_an_address_that_cannot_be_reached() {
    let site = Site::new();
    let (listener, address) = site.listener(sn1());
    let options = LinkOptions { connect: Duration::from_millis(300), ..LinkOptions::default() };
    let dialer = Dialer::with_options(&site.member(agent()), options).unwrap();
    let expect = sn1();
    // Class E: the kernel says "invalid" or "unreachable" to every packet.
    assert!(soon(dialer.connect("240.0.0.1:9".parse().unwrap(), &expect)).await.is_err());
    assert!(soon(dialer.connect("127.0.0.1:0".parse().unwrap(), &expect)).await.is_err());
    let (dialed, _) = soon(async { tokio::join!(dialer.connect(address, &expect), member(&listener)) }).await;
    dialed.unwrap();
}

fn token(site: &Site, address: SocketAddr) -> Token {
    Token {
        kind: Kind::Agent,
        name: "n1".parse().unwrap(),
        addresses: vec![address],
        authority: site.authority.fingerprint(),
        secret: JoinSecret([7; 16]),
    }
}

/// Decides as the management node does.
fn decide(site: &Site, relayed: &RelayedJoin, role: Role) -> JoinAnswer {
    let RelayedJoin { request, exported } = relayed;
    if !proves(&JoinSecret([7; 16]), exported, &request.public_key, &request.proof) {
        return JoinAnswer::Refused("no".to_owned());
    }
    let chain = site.authority.certify(&role, &request.public_key, 30).unwrap();
    JoinAnswer::Welcome { chain, slice_key: site.authority.slice_key() }
}

async fn admit(site: &Site, listener: &Listener, role: Role) {
    let mut link = stranger(listener).await;
    let relayed = link.request().await.unwrap();
    let answer = decide(site, &relayed, role);
    // The stranger may be gone by then when it did not like the answer.
    let _ = link.answer(answer).await;
}

#[tokio::test]
async fn a_stranger_joins_and_is_then_a_member() {
    let site = Site::new();
    let (listener, address) = site.listener(sn1());
    let token = token(&site, address);
    let (identity, ()) = soon(async { tokio::join!(join(&token), admit(&site, &listener, agent())) }).await;
    let identity = identity.unwrap();
    assert_eq!(identity.role(), &agent());

    let home = tempfile::tempdir().unwrap();
    identity.save(home.path()).unwrap();
    let dialer = Dialer::new(&Identity::load(home.path()).unwrap()).unwrap();
    let expect = sn1();
    let (dialed, accepted) =
        soon(async { tokio::join!(dialer.connect(address, &expect), member(&listener)) }).await;
    dialed.unwrap();
    assert_eq!(accepted.peer(), &agent());
    assert_eq!(Some(accepted.peer_key()), identity.key_digest());
}

#[tokio::test]
async fn a_wrong_secret_is_refused_with_advice() {
    let site = Site::new();
    let (listener, address) = site.listener(sn1());
    let token = Token { secret: JoinSecret([8; 16]), ..token(&site, address) };
    let (refused, ()) = soon(async { tokio::join!(join(&token), admit(&site, &listener, agent())) }).await;
    let refused = refused.unwrap_err();
    assert!(matches!(refused, JoinError::Refused { .. }) && !refused.is_passing(), "{refused:?}");
    assert!(refused.refusal(&token).render("node-agent").contains("make a new token"));
}

#[tokio::test]
async fn a_wrong_fingerprint_ends_it_before_the_proof_is_sent() {
    let site = Site::new();
    let (listener, address) = site.listener(sn1());
    let token = Token { authority: [1; 32], ..token(&site, address) };
    let (refused, arrived) = soon(async { tokio::join!(join(&token), arrive(&listener)) }).await;
    assert!(matches!(refused, Err(JoinError::Impostor { .. })), "{refused:?}");
    assert!(arrived.is_err(), "no session came about in which a proof could travel");
}

#[tokio::test]
async fn an_agent_that_poses_as_a_service_node_gets_no_proof() {
    let site = Site::new();
    let (listener, address) = site.listener(Role::Agent("n9".parse().unwrap()));
    let token = token(&site, address);
    let (refused, question) =
        soon(async { tokio::join!(join(&token), async { stranger(&listener).await.request().await }) }).await;
    assert!(matches!(refused, Err(JoinError::Impostor { .. })), "{refused:?}");
    assert!(question.is_err());
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_taken() {
    let site = Site::new();
    let (listener, address) = site.listener(sn1());
    let token = token(&site, address);
    let other = Role::Agent("n2".parse().unwrap());
    let (refused, ()) = soon(async { tokio::join!(join(&token), admit(&site, &listener, other)) }).await;
    assert!(matches!(refused, Err(JoinError::BadAnswer { .. })), "{refused:?}");
}

#[tokio::test]
async fn the_second_address_of_a_token_is_asked_when_the_first_is_silent() {
    let site = Site::new();
    let (listener, address) = site.listener(sn1());
    let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut token = token(&site, address);
    token.addresses.insert(0, silent.local_addr().unwrap());
    let (identity, ()) = soon(async { tokio::join!(join(&token), admit(&site, &listener, agent())) }).await;
    identity.unwrap();
}
