use std::fs;
use std::path::Path;

use common::slice::Slice;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::config::Config;
use crate::testing;

struct Running {
    dir: tempfile::TempDir,
    spool: Arc<Spool>,
    view: watch::Sender<Arc<View>>,
    stop: CancellationToken,
    port: u16,
    service: JoinSet<Result<(), BoxError>>,
}

fn view_of(slice: &Slice) -> Arc<View> {
    Arc::new(View::build(slice).unwrap())
}

/// Two free ports of one number cannot be had from the system without a race, so that the service
/// is told one that was free a moment ago.
async fn free_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.local_addr().unwrap().port()
}

async fn start(slice: &Slice) -> Running {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port().await;
    let mut config = Config::new(dir.path().to_owned());
    (config.bind, config.ports.syslog) = (Ipv4Addr::LOCALHOST, port);
    let (view, newest) = watch::channel(view_of(slice));
    let stop = CancellationToken::new();
    let spool = Arc::new(Spool::open(&dir.path().join("log/.spool"), "sn1".parse().unwrap()).unwrap());
    let host = Host { config: Arc::new(config), view: newest, stop: stop.clone() };
    let mut service = JoinSet::new();
    service.spawn(run(host, Arc::clone(&spool)));
    Running { dir, spool, view, stop, port, service }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        testing::eventually("the port is open", async || {
            TcpStream::connect(("127.0.0.1", self.port)).await.ok()
        })
        .await
    }

    /// The node's file once it has this many lines, without what differs from run to run.
    async fn messages(&self, node: &str, lines: usize) -> Vec<String> {
        let path = self.dir.path().join("log").join(node).join("messages");
        testing::eventually("the lines are in the file", async || read(&path, lines)).await
    }

    async fn stop(mut self) -> tempfile::TempDir {
        self.stop.cancel();
        self.service.join_next().await.unwrap().unwrap().unwrap();
        self.dir
    }
}

fn read(path: &Path, lines: usize) -> Option<Vec<String>> {
    let text = fs::read_to_string(path).ok()?;
    let found: Vec<String> = text.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect();
    (found.len() >= lines).then_some(found)
}

#[tokio::test]
async fn lines_by_udp_and_tcp_land_in_the_node_s_file_and_in_the_spool() {
    let running = start(&testing::slice()).await;
    let mut tcp = running.connect().await;
    tcp.write_all(b"<13>by line\n13 <11>by count\n").await.unwrap();
    running.messages("n1", 2).await;
    let udp = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    udp.send_to(b"<13>by udp\n", ("127.0.0.1", running.port)).await.unwrap();
    assert_eq!(running.messages("n2", 1).await, ["127.0.0.2 user.notice by udp"]);
    let got = running.messages("n1", 2).await;
    assert_eq!(got, ["127.0.0.1 user.notice by line", "127.0.0.1 user.err by count"]);
    let spooled = running.spool.read_after(0, 99, 9999).unwrap();
    let spooled: Vec<&[u8]> = spooled.iter().map(|(_, line)| &line.line[..]).collect();
    assert_eq!(spooled, [&b"<13>by line"[..], b"<11>by count", b"<13>by udp"]);
}

#[tokio::test]
async fn what_arrived_before_a_stop_is_written() {
    let running = start(&testing::slice()).await;
    let mut tcp = running.connect().await;
    tcp.write_all(b"<13>first\n").await.unwrap();
    running.messages("n1", 1).await;
    let lines: String = (0..5000).map(|number| format!("<13>line {number}\n")).collect();
    tcp.write_all(lines.as_bytes()).await.unwrap();
    tcp.write_all(b"<13>half a li").await.unwrap();
    let dir = running.stop().await;
    let got = read(&dir.path().join("log/n1/messages"), 0).unwrap();
    assert_eq!(got.len(), 5002);
    assert_eq!(got[5001], "127.0.0.1 user.notice half a li");
}

#[tokio::test]
async fn a_stranger_s_line_is_dropped() {
    let running = start(&testing::slice()).await;
    running.connect().await;
    let stranger = UdpSocket::bind("127.0.0.99:0").await.unwrap();
    stranger.send_to(b"<13>let me in", ("127.0.0.1", running.port)).await.unwrap();
    // One socket is read in order: when this one is there, the other is dealt with.
    let node = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    node.send_to(b"<13>after it", ("127.0.0.1", running.port)).await.unwrap();
    assert_eq!(running.messages("n1", 1).await, ["127.0.0.1 user.notice after it"]);
    let folders = fs::read_dir(running.dir.path().join("log")).unwrap().count();
    assert_eq!(folders, 2, "the node's and the spool's");
}

#[tokio::test]
async fn the_first_words_of_a_node_that_is_not_in_the_slice_yet_are_kept() {
    let whole = testing::slice();
    let mut before = whole.clone();
    before.remove(&common::slice::Key::Node("n2".parse().unwrap()));
    let running = start(&before).await;
    running.connect().await.write_all(b"<13>known\n").await.unwrap();
    running.messages("n1", 1).await;
    let early = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    early.send_to(b"<13>first words", ("127.0.0.1", running.port)).await.unwrap();
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut stream = socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, running.port))).await.unwrap();
    stream.write_all(b"<13>by tcp\n").await.unwrap();
    // One socket is read in order: the datagram has been looked at when this one is there.
    let known = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    known.send_to(b"<13>after it", ("127.0.0.1", running.port)).await.unwrap();
    running.messages("n1", 2).await;
    running.view.send_replace(view_of(&whole));
    let mut got = running.messages("n2", 2).await;
    got.sort();
    assert_eq!(got, ["127.0.0.2 user.notice by tcp", "127.0.0.2 user.notice first words"]);
}

#[tokio::test]
async fn logs_that_stay_are_not_spooled() {
    let running = start(&testing::slice_with(|site, _| site.logs_stay = true)).await;
    running.connect().await.write_all(b"<13>stays\n").await.unwrap();
    assert_eq!(running.messages("n1", 1).await, ["127.0.0.1 user.notice stays"]);
    assert_eq!(running.spool.last(), 0);
}

#[tokio::test]
async fn switched_off_the_port_is_free_and_switched_on_it_serves_again() {
    let running = start(&testing::slice()).await;
    running.connect().await;
    running.view.send_replace(view_of(&testing::slice_with(|_, services| services.syslog = false)));
    testing::eventually("the port is closed", async || {
        TcpStream::connect(("127.0.0.1", running.port)).await.is_err().then_some(())
    })
    .await;
    running.view.send_replace(view_of(&testing::slice()));
    running.connect().await.write_all(b"<13>again\n").await.unwrap();
    assert_eq!(running.messages("n1", 1).await, ["127.0.0.1 user.notice again"]);
}
