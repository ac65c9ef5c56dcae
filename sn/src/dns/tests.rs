use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use common::slice::{Entry, Host as Name, Network, Services, Site, Slice};
use hickory_server::proto::op::{Edns, Message, Query, ResponseCode};
use hickory_server::proto::rr::{Name as DnsName, RecordType};
use sn_proto::dns::Transport;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::*;

/// `mn` with one address, `big` with 200, both in `cluster`.
fn slice(dns: bool) -> Slice {
    let mut slice = Slice::new();
    let addresses = |count: u8| (0..count).map(|last| IpAddr::from([10, 0, 0, last])).collect();
    let host = |name: &str, count| {
        Entry::Host(Name { name: name.to_owned(), aliases: Vec::new(), addresses: addresses(count) })
    };
    let entries = [
        Entry::Services(Services {
            sn: "sn1".parse().unwrap(),
            dhcp: false,
            tftp: false,
            http: false,
            dns,
            ntp: false,
            syslog: false,
            nfs: false,
            dhcp_interfaces: Vec::new(),
        }),
        Entry::Site(Site {
            domain: "cluster".to_owned(),
            forwarders: Vec::new(),
            lease_seconds: 1,
            http_port: 1,
            agent_port: 1,
            logs_stay: false,
            authority: [0; 32],
        }),
        Entry::Network(Network {
            name: "lan".parse().unwrap(),
            net: "10.0.0.0/24".parse().unwrap(),
            gateway: None,
            server: None,
            dynamic: Vec::new(),
            nameservers: Vec::new(),
            ntp_servers: Vec::new(),
            domain: "cluster".to_owned(),
            mtu: None,
        }),
        host("mn", 1),
        host("big", 200),
    ];
    entries.into_iter().for_each(|entry| slice.put(entry).unwrap());
    slice
}

/// A running service on a port of its own; it ends with the value.
struct Served {
    address: SocketAddrV4,
    views: watch::Sender<Arc<View>>,
    tasks: JoinSet<Result<(), BoxError>>,
}

async fn served() -> Served {
    let mut config = Config::new(PathBuf::new());
    (config.bind, config.ports.dns) = (Ipv4Addr::LOCALHOST, 0);
    let sockets = Sockets::bind(&config).await.unwrap();
    let address = sockets.udp.local_addr().unwrap();
    let (views, view) = watch::channel(Arc::new(View::build(&slice(true)).unwrap()));
    let mut host = Host { config: Arc::new(config), view, stop: CancellationToken::new() };
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { serve(&mut host, sockets).await });
    Served { address, views, tasks }
}

fn question(name: &str, kind: RecordType) -> Message {
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(DnsName::from_ascii(name).unwrap(), kind));
    message
}

async fn ask_udp(server: SocketAddrV4, message: &Message) -> Message {
    let socket = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    socket.connect(server).await.unwrap();
    socket.send(&message.to_vec().unwrap()).await.unwrap();
    let mut buffer = [0; 4096];
    let len = socket.recv(&mut buffer).await.unwrap();
    Message::from_vec(&buffer[..len]).unwrap()
}

async fn exchange_tcp(stream: &mut TcpStream, message: &Message) -> Message {
    let bytes = message.to_vec().unwrap();
    stream.write_u16(u16::try_from(bytes.len()).unwrap()).await.unwrap();
    stream.write_all(&bytes).await.unwrap();
    let mut reply = vec![0; usize::from(stream.read_u16().await.unwrap())];
    stream.read_exact(&mut reply).await.unwrap();
    Message::from_vec(&reply).unwrap()
}

#[tokio::test]
async fn a_question_by_udp_is_answered_and_a_long_answer_sends_to_tcp() {
    let server = served().await;
    let got = ask_udp(server.address, &question("mn.cluster.", RecordType::A)).await;
    assert_eq!(got.answers[0].data.to_string(), "10.0.0.0");

    let long = question("big.cluster.", RecordType::A);
    assert!(ask_udp(server.address, &long).await.metadata.truncation);
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(exchange_tcp(&mut stream, &long).await.answers.len(), 200);
    let again = exchange_tcp(&mut stream, &question("nobody.cluster.", RecordType::A)).await;
    assert_eq!(again.metadata.response_code, ResponseCode::NXDomain);
}

#[tokio::test]
async fn a_new_view_is_answered_from_and_the_switch_ends_the_service() {
    let mut server = served().await;
    let mut newer = slice(true);
    let late = Name { name: "late".to_owned(), aliases: Vec::new(), addresses: vec![[10, 0, 0, 9].into()] };
    newer.put(Entry::Host(late)).unwrap();
    server.views.send_replace(Arc::new(View::build(&newer).unwrap()));
    // The view is handed on by a task; until then the name is not there.
    while ask_udp(server.address, &question("late.cluster.", RecordType::A)).await.answers.is_empty() {
        tokio::task::yield_now().await;
    }
    server.views.send_replace(Arc::new(View::build(&slice(false)).unwrap()));
    server.tasks.join_next().await.unwrap().unwrap().unwrap();
    // Both ports are free again, for the site's own server.
    std::net::UdpSocket::bind(server.address).unwrap();
}

#[tokio::test]
async fn a_long_or_cut_question_by_tcp_closes_the_connection() {
    let server = served().await;
    for bytes in [&[0xff, 0xff, 0][..], &[0, 5, 1, 2, 3, 4, 5]] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap_or(0), 0);
    }
}

/// The reply of a forwarder in front of `servers`.
async fn forwarded(servers: &[IpAddr], port: u16, message: &Message, limit: u16) -> Message {
    let forwarder = Forwarder::on_port(servers, port).unwrap();
    let client = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let packet = message.to_vec().unwrap();
    let reply = forwarder.ask(packet, client, Transport::Udp, limit).await.unwrap();
    assert!(reply.len() <= usize::from(limit));
    Message::from_vec(&reply).unwrap()
}

#[tokio::test]
async fn what_a_forwarder_says_is_passed_on() {
    let upstream = served().await;
    let (servers, port) = ([IpAddr::V4(*upstream.address.ip())], upstream.address.port());
    let got = forwarded(&servers, port, &question("MN.cluster.", RecordType::A), 512).await;
    assert_eq!(got.answers[0].data.to_string(), "10.0.0.0");
    assert_eq!(got.queries[0].name().to_string(), "MN.cluster.");
    assert!(got.metadata.recursion_available && !got.metadata.authoritative);

    let got = forwarded(&servers, port, &question("nobody.cluster.", RecordType::A), 512).await;
    assert_eq!(got.metadata.response_code, ResponseCode::NXDomain);
    assert_eq!(got.authorities[0].name.to_string(), "cluster.");
    let got = forwarded(&servers, port, &question("mn.cluster.", RecordType::AAAA), 512).await;
    assert_eq!((got.metadata.response_code, got.answers.len()), (ResponseCode::NoError, 0));
    let got = forwarded(&servers, port, &question("elsewhere.example.", RecordType::A), 512).await;
    assert_eq!(got.metadata.response_code, ResponseCode::Refused);
}

#[tokio::test]
async fn a_long_forwarded_answer_is_fetched_by_tcp_and_cut_for_the_client() {
    let upstream = served().await;
    let (servers, port) = ([IpAddr::V4(*upstream.address.ip())], upstream.address.port());
    let mut message = question("big.cluster.", RecordType::A);
    message.set_edns(Edns::new());
    let got = forwarded(&servers, port, &message, 1232).await;
    assert!(got.metadata.truncation && got.edns.is_some() && got.answers.is_empty(), "{got}");
    let got = forwarded(&servers, port, &message, u16::MAX).await;
    assert_eq!((got.metadata.truncation, got.answers.len()), (false, 200));
}

#[tokio::test]
async fn a_forwarder_that_is_silent_does_not_keep_the_client_from_the_next() {
    let upstream = served().await;
    let port = upstream.address.port();
    let silent = Ipv4Addr::new(127, 0, 0, 2);
    let _silent = std::net::UdpSocket::bind((silent, port)).unwrap();
    let servers = [IpAddr::V4(silent), IpAddr::V4(*upstream.address.ip())];
    let got = forwarded(&servers, port, &question("mn.cluster.", RecordType::A), 512).await;
    assert_eq!(got.answers.len(), 1);
}

#[tokio::test]
async fn when_no_forwarder_answers_the_client_is_told_in_time() {
    let silent = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = silent.local_addr().unwrap().port();
    let ask = question("x.example.", RecordType::A);
    let servers = [IpAddr::V4(Ipv4Addr::LOCALHOST)];
    let got = tokio::time::timeout(forward::PATIENCE * 2, forwarded(&servers, port, &ask, 512));
    assert_eq!(got.await.unwrap().metadata.response_code, ResponseCode::ServFail);
}
