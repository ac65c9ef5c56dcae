use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use common::id::Digest;
use common::slice::Slice;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::config::Config;
use crate::testing;

/// A server on a port of its own, until it is dropped.
struct Running {
    address: SocketAddr,
    view: watch::Sender<Arc<View>>,
    stop: CancellationToken,
    service: tokio::task::JoinSet<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn view_of(slice: &Slice) -> Arc<View> {
    Arc::new(View::build(slice).unwrap())
}

fn start(dir: &Path, slice: &Slice) -> Running {
    let (view, newest) = watch::channel(view_of(slice));
    let stop = CancellationToken::new();
    let listener = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let address = listener.local_addr().unwrap();
    let config = Arc::new(Config::new(dir.to_owned()));
    let mut host = Host { config, view: newest, stop: stop.clone() };
    let mut service = tokio::task::JoinSet::new();
    service.spawn(async move { serve(&mut host, listener).await });
    Running { address, view, stop, service }
}

/// What a client gets that says this and waits for the end.
async fn say(running: &Running, from: [u8; 4], request: &str) -> (String, Vec<u8>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((from, 0))).unwrap();
    let mut stream = socket.connect(running.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(answer.len());
    let header = String::from_utf8_lossy(&answer[..end]).into_owned();
    (header, answer.get(end + 4..).unwrap_or_default().to_vec())
}

async fn get(running: &Running, target: &str, fields: &str) -> (String, Vec<u8>) {
    let request = format!("GET {target} HTTP/1.1\r\nHost: sn\r\nConnection: close\r\n{fields}\r\n");
    say(running, [127, 0, 0, 1], &request).await
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 / 7 % 256).to_le_bytes()[0]).collect()
}

#[tokio::test]
async fn a_file_of_several_chunks_arrives_whole_and_in_parts() {
    let (dir, mut slice) = (tempfile::tempdir().unwrap(), testing::slice());
    let content = bytes(900_001);
    testing::put_file(&mut slice, dir.path(), "install/kernel", &content);
    let running = start(dir.path(), &slice);
    let (header, body) = get(&running, "/install/kernel", "").await;
    assert!(header.starts_with("HTTP/1.1 200") && header.contains("content-length: 900001"), "{header}");
    assert!(body == content);
    let (header, body) = get(&running, "/install/kernel", "Range: bytes=262000-600000\r\n").await;
    assert!(header.starts_with("HTTP/1.1 206"), "{header}");
    assert!(body == content[262_000..=600_000]);
    let head = "HEAD /install/kernel HTTP/1.1\r\nHost: sn\r\nConnection: close\r\n\r\n";
    let (header, body) = say(&running, [127, 0, 0, 1], head).await;
    assert!(header.contains("content-length: 900001") && body.is_empty(), "{header}");
    let (header, body) = say(&running, [127, 0, 0, 1], "GET /install/kernel HTTP/1.0\r\n\r\n").await;
    assert!(header.starts_with("HTTP/1.0 200") && body == content, "{header}");
}

#[tokio::test]
async fn content_that_is_not_here_is_promised_for_later() {
    let (dir, mut slice) = (tempfile::tempdir().unwrap(), testing::slice());
    testing::put_file(&mut slice, dir.path(), "install/a", b"abc");
    let content = crate::content::path(dir.path(), &Digest::of(b"abc"));
    let running = start(dir.path(), &slice);
    std::fs::write(&content, b"abcd").unwrap();
    let (header, _) = get(&running, "/install/a", "").await;
    assert!(header.starts_with("HTTP/1.1 503"), "of a wrong length: {header}");
    std::fs::remove_file(&content).unwrap();
    let (header, _) = get(&running, "/install/a", "").await;
    assert!(header.starts_with("HTTP/1.1 503") && header.contains("retry-after: "), "{header}");
    std::fs::write(&content, b"abc").unwrap();
    assert_eq!(get(&running, "/install/a", "").await.1, b"abc");
}

#[tokio::test]
async fn a_script_is_the_node_s_own() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path(), &testing::slice());
    let request = "GET /tftpboot/xcat/xnba/nodes/n2 HTTP/1.1\r\nHost: sn\r\nConnection: close\r\n\r\n";
    let (_, script) = say(&running, [127, 0, 0, 2], request).await;
    assert!(String::from_utf8_lossy(&script).contains("drover.token=drover1:node:n2:"));
    let (header, _) = say(&running, [127, 0, 0, 1], request).await;
    assert!(header.starts_with("HTTP/1.1 404"), "{header}");
}

#[tokio::test]
async fn a_header_that_is_too_long_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path(), &testing::slice());
    let (header, _) = get(&running, "/", &format!("X: {}\r\n", "x".repeat(20_000))).await;
    assert!(header.starts_with("HTTP/1.1 431"), "{header}");
}

#[tokio::test]
async fn a_slow_client_is_ended_and_a_greedy_one_refused() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(dir.path(), &testing::slice());
    let mut held = Vec::new();
    for _ in 0..PER_CLIENT {
        held.push(TcpStream::connect(running.address).await.unwrap());
    }
    // The one too many is closed without a word; another client is still served.
    let mut refused = TcpStream::connect(running.address).await.unwrap();
    assert!(matches!(refused.read(&mut [0; 9]).await, Ok(0) | Err(_)));
    let request = "GET /x HTTP/1.1\r\nHost: sn\r\nConnection: close\r\n\r\n";
    assert!(say(&running, [127, 0, 0, 2], request).await.0.starts_with("HTTP/1.1 404"));

    let mut slow = held.pop().unwrap();
    slow.write_all(b"GET /x HT").await.unwrap();
    // Once the server waits, time is advanced instead of waited for.
    tokio::time::pause();
    let ended = tokio::time::timeout(2 * QUIET, slow.read_to_end(&mut Vec::new())).await;
    assert!(ended.is_ok(), "a header that never ends is waited for only so long");
}

#[tokio::test]
async fn switched_off_it_gives_the_port_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut running = start(dir.path(), &testing::slice());
    TcpStream::connect(running.address).await.unwrap();
    running.view.send_replace(view_of(&testing::slice_with(|_, services| services.http = false)));
    running.service.join_next().await.unwrap().unwrap();
    assert!(TcpStream::connect(running.address).await.is_err());
}
