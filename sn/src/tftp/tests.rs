//! The service on loopback, from a client's side.

use std::time::Duration;

use common::id::Digest;
use common::slice::{Entry, File, Services, Slice};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::config::{NfsBackend, Ports};

const SERVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);

/// A service with one static file, stopped when it is dropped.
struct Lab {
    address: SocketAddrV4,
    bytes: Vec<u8>,
    _dir: tempfile::TempDir,
    _views: watch::Sender<Arc<View>>,
    _task: JoinSet<Result<(), BoxError>>,
}

impl Lab {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).take(1_000_000).collect();
        let hash = Digest::of(&bytes);
        let path = crate::content::path(dir.path(), &hash);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &bytes).unwrap();
        let mut slice = Slice::new();
        let services = Services {
            sn: "sn1".parse().unwrap(),
            dhcp: false,
            tftp: true,
            http: false,
            dns: false,
            ntp: false,
            syslog: false,
            nfs: false,
            dhcp_interfaces: Vec::new(),
        };
        slice.put(Entry::Services(services)).unwrap();
        for (name, hash) in [("tftpboot/big", hash), ("tftpboot/absent", Digest::of(b"absent"))] {
            let file = File { path: name.parse().unwrap(), hash, size: 1_000_000, executable: false };
            slice.put(Entry::File(file)).unwrap();
        }
        let config = Config {
            dir: dir.path().to_owned(),
            bind: SERVER,
            ports: Ports { tftp: 0, ..Ports::default() },
            nfs: NfsBackend::None,
            pool_wait: Duration::ZERO,
        };
        let (views, view) = watch::channel(Arc::new(View::build(&slice).unwrap()));
        let host = Host { config: Arc::new(config), view, stop: CancellationToken::new() };
        let socket = bind(&host.config).unwrap();
        let address = socket.local_addr().unwrap();
        let mut task = JoinSet::new();
        task.spawn(serve(host, socket));
        Self { address, bytes, _dir: dir, _views: views, _task: task }
    }

    async fn ask(&self, request: &[u8]) -> Client {
        let port = Port::bind((SERVER, 0)).await.unwrap();
        port.send_to(request, self.address).await.unwrap();
        Client { port }
    }
}

struct Client {
    port: Port,
}

impl Client {
    async fn recv(&self) -> (Vec<u8>, std::net::SocketAddr) {
        let mut buffer = vec![0; 70_000];
        let waiting = tokio::time::timeout(Duration::from_secs(20), self.port.recv_from(&mut buffer));
        let (len, from) = waiting.await.expect("a packet").unwrap();
        buffer.truncate(len);
        (buffer, from)
    }

    /// Reads a file with blocks of 1,000 bytes, acknowledging each window.
    async fn read(&self, window: u64) -> Vec<u8> {
        let mut file = Vec::new();
        loop {
            let (packet, server) = self.recv().await;
            if packet[1] == 6 {
                self.port.send_to(&[0, 4, 0, 0], server).await.unwrap();
                continue;
            }
            assert_eq!(packet[1], 3, "{packet:?}");
            file.extend_from_slice(&packet[4..]);
            let block = u64::from(u16::from_be_bytes([packet[2], packet[3]]));
            if packet.len() < 1004 || block % window == 0 {
                self.port.send_to(&[0, 4, packet[2], packet[3]], server).await.unwrap();
            }
            if packet.len() < 1004 {
                return file;
            }
        }
    }
}

#[tokio::test]
async fn a_file_arrives_whole_with_and_without_a_window() {
    let lab = Lab::start();
    let client = lab.ask(b"\0\x01big\0octet\0blksize\x001000\0").await;
    assert!(client.read(1).await == lab.bytes);
    let client = lab.ask(b"\0\x01/tftpboot/big\0octet\0windowsize\x008\0blksize\x001000\0").await;
    assert!(client.read(8).await == lab.bytes);
}

#[tokio::test]
async fn a_packet_from_elsewhere_is_turned_away_and_does_no_harm() {
    let lab = Lab::start();
    let client = lab.ask(b"\0\x01big\0octet\0blksize\x001000\0").await;
    let (_, transfer) = client.recv().await;
    let intruder = Client { port: Port::bind((SERVER, 0)).await.unwrap() };
    intruder.port.send_to(b"\0\x05\0\0stop", transfer).await.unwrap();
    let (answer, _) = intruder.recv().await;
    assert_eq!(answer[..4], [0, 5, 0, 5]);
    client.port.send_to(&[0, 4, 0, 0], transfer).await.unwrap();
    assert!(client.read(1).await == lab.bytes);
}

#[tokio::test]
async fn what_cannot_be_served_is_said_with_the_right_number() {
    let lab = Lab::start();
    for (request, code) in [
        (&b"\0\x01nothing\0octet\0"[..], 1),
        (b"\0\x01../../etc/passwd\0octet\0", 1),
        (b"\0\x02big\0octet\0", 2),
        (b"\0\x01big\0mail\0", 4),
        (b"\0\x01absent\0octet\0", 0),
        (b"\0\x01big\0netascii\0", 3),
    ] {
        let (answer, from) = lab.ask(request).await.recv().await;
        let is_data = code == 3 && answer[1] == 3;
        assert!(is_data || answer[..4] == [0, 5, 0, code], "{request:?}: {answer:?}");
        assert_ne!(from.port(), lab.address.port());
    }
}

#[tokio::test]
async fn the_same_request_twice_is_one_transfer() {
    let lab = Lab::start();
    let request = b"\0\x01big\0octet\0blksize\x001000\0";
    let client = lab.ask(request).await;
    let (_, transfer) = client.recv().await;
    client.port.send_to(request, lab.address).await.unwrap();
    // Answered later than the repeated request would be, were it answered.
    let (_, other) = lab.ask(b"\0\x01nothing\0octet\0").await.recv().await;
    assert_ne!(other, transfer);
    client.port.send_to(&[0, 4, 0, 0], transfer).await.unwrap();
    let (packet, from) = client.recv().await;
    assert_eq!((&packet[..4], from), (&[0, 3, 0, 1][..], transfer));
}
