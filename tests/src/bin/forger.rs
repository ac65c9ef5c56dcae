//! A user's hand-made client of the operators' socket, for tests: `forger SOCKET` sends what it reads
//! from standard input and ends with the status of the answer; `forger SOCKET COUNT` opens that many
//! connections, says so, and holds them until it is killed.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "this is what it says to its test")]

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use common::wire::frame;
use common::wire::operator::Reply;

/// What it ends with where there is no status.
const NO_ANSWER: u8 = 99;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let path = words.next().unwrap_or_default();
    if let Some(count) = words.next().and_then(|count| count.parse().ok()) {
        hold(&path, count);
    }
    ExitCode::from(send(&path).unwrap_or(NO_ANSWER))
}

fn hold(path: &str, count: usize) {
    let held: Vec<UnixStream> = (0..count).filter_map(|_| UnixStream::connect(path).ok()).collect();
    println!("holding {} connections", held.len());
    loop {
        std::thread::park();
    }
}

fn send(path: &str) -> Option<u8> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).ok()?;
    let mut stream = UnixStream::connect(path).ok()?;
    // The daemon may hang up before it has read all; its answer counts.
    let _ = stream.write_all(&bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let mut answer = answer.as_slice();
    loop {
        let (header, rest) = answer.split_first_chunk::<4>()?;
        let (body, rest) = rest.split_at_checked(frame::body_len(*header).ok()?)?;
        match frame::decode(body).ok()? {
            Reply::Done { status } => return Some(status),
            Reply::Out(text) | Reply::Err(text) => print!("{text}"),
            Reply::Progress { .. } => {}
        }
        answer = rest;
    }
}
