//! The service on loopback: a node that renews, before and after it has moved away.

use common::id::{Epoch, MacAddr};
use common::slice::{
    Boot, Entry, Interface, Netboot, Network, Node, PoolMember, Role, Servers, Services, Slice,
};
use dhcproto::v4::{Decodable as _, Decoder, DhcpOption, Encodable as _, Encoder, Message, MessageType};
use tokio::net::UdpSocket as Client;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::config::NfsBackend;

const SERVER: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 1);

fn node(number: u8, role: Role) -> Entry {
    let interface = Interface {
        mac: MacAddr::new([2, 0, 0, 0, 0, number]),
        host: format!("n{number}"),
        ip: Some(Ipv4Addr::new(127, 77, 0, 100 + number)),
        network: Some("lab".parse().unwrap()),
    };
    Entry::Node(Box::new(Node {
        name: format!("n{number}").parse().unwrap(),
        role,
        epoch: Epoch::ZERO,
        pool: vec![PoolMember { sn: "sn1".parse().unwrap(), address: SERVER }],
        interfaces: vec![interface],
        servers: Servers {
            master: SERVER,
            next_server: SERVER,
            nfs_server: SERVER,
            router: None,
            router_is_master: false,
            nameservers: Vec::new(),
            ntp: Vec::new(),
            log: None,
            domain: "cluster".to_owned(),
        },
        netboot: Netboot::Xnba,
        boot: Boot::Disk,
        scripts: Vec::new(),
        join: None,
        agent_key: None,
        rests: false,
    }))
}

fn view(first: Role) -> Arc<View> {
    let mut slice = Slice::new();
    let services = Services {
        sn: "sn1".parse().unwrap(),
        dhcp: true,
        tftp: false,
        http: false,
        dns: false,
        ntp: false,
        syslog: false,
        nfs: false,
        dhcp_interfaces: Vec::new(),
    };
    slice.put(Entry::Services(services)).unwrap();
    let network = Network {
        name: "lab".parse().unwrap(),
        net: "127.77.0.0/24".parse().unwrap(),
        gateway: None,
        server: None,
        dynamic: Vec::new(),
        nameservers: Vec::new(),
        ntp_servers: Vec::new(),
        domain: "cluster".to_owned(),
        mtu: None,
    };
    slice.put(Entry::Network(network)).unwrap();
    slice.put(node(1, first)).unwrap();
    slice.put(node(2, Role::Owner)).unwrap();
    Arc::new(View::build(&slice).unwrap())
}

async fn renew(client: &Client, server: SocketAddrV4, number: u8) {
    let none = Ipv4Addr::UNSPECIFIED;
    let own = Ipv4Addr::new(127, 77, 0, 100 + number);
    let mut message =
        Message::new_with_id(u32::from(number), own, none, none, none, &[2, 0, 0, 0, 0, number]);
    message.opts_mut().insert(DhcpOption::MessageType(MessageType::Request));
    let mut bytes = Vec::new();
    message.encode(&mut Encoder::new(&mut bytes)).unwrap();
    client.send_to(&bytes, server).await.unwrap();
}

async fn answer(client: &Client) -> (Option<MessageType>, Ipv4Addr, std::net::SocketAddr) {
    let mut buffer = [0; 1500];
    let waiting = tokio::time::timeout(Duration::from_secs(20), client.recv_from(&mut buffer));
    let (len, from) = waiting.await.expect("an answer").unwrap();
    let message = Message::decode(&mut Decoder::new(&buffer[..len])).unwrap();
    (message.opts().msg_type(), message.yiaddr(), from)
}

#[tokio::test]
async fn a_node_that_moved_away_is_not_answered_from_the_next_packet_on() {
    let first = Client::bind("127.77.0.101:0").await.unwrap();
    let port = first.local_addr().unwrap().port();
    let second = Client::bind(("127.77.0.102", port)).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        dir: dir.path().to_owned(),
        bind: SERVER,
        ports: crate::config::Ports { dhcp: 0, dhcp_client: port, ..Default::default() },
        nfs: NfsBackend::None,
        pool_wait: Duration::ZERO,
    };
    let (switch, views) = watch::channel(view(Role::Owner));
    let stop = CancellationToken::new();
    let host = Host { config: Arc::new(config), view: views, stop: stop.clone() };
    let (file, leases) = LeaseFile::open(&host.folder("dhcp")).unwrap();
    let server = Server::bind(&host.config, leases).unwrap();
    let address = server.socket.local_addr().unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(serve(host, server, file));

    renew(&first, address, 1).await;
    let want = |number: u8| {
        (Some(MessageType::Ack), Ipv4Addr::new(127, 77, 0, 100 + number), std::net::SocketAddr::V4(address))
    };
    assert_eq!(answer(&first).await, want(1));

    switch.send(view(Role::Backup)).unwrap();
    renew(&first, address, 1).await;
    // Its request came before this one, so its answer would be there when this one's is.
    renew(&second, address, 2).await;
    assert_eq!(answer(&second).await, want(2));
    assert!(first.try_recv(&mut [0; 1]).is_err(), "an answer to a node that moved away");
    stop.cancel();
    assert!(tasks.join_next().await.unwrap().unwrap().is_ok());
}
