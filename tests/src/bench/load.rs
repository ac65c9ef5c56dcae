//! Many clients at once, each asking over the daemon's socket as the commands do, without the start
//! of a process for each question.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::wire::PROTOCOL;
use common::wire::frame;
use common::wire::operator::{Reply, Request, View};
use mn_core::command::{Asked, Command, Define, Mode, Nodels, Query, Range, Sent};

use super::site;
use crate::Result;

/// How many clients ask at once.
pub(super) const CLIENTS: usize = 64;

/// How long questions took, sorted.
#[derive(Clone, Debug, Default)]
pub(super) struct Latencies(Vec<Duration>);

impl Latencies {
    /// How many there were.
    pub(super) const fn count(&self) -> usize {
        self.0.len()
    }

    /// The one that so many of a thousand stay below.
    pub(super) fn permille(&self, part: usize) -> Duration {
        let at = (self.0.len() * part / 1000).min(self.0.len().saturating_sub(1));
        self.0.get(at).copied().unwrap_or_default()
    }
}

/// A question about one node.
fn look(number: usize) -> (Vec<String>, Asked) {
    let name = site::node(number);
    let words = ["nodels", &name].map(str::to_owned).to_vec();
    (words, Asked::Query(Query::Nodels(Nodels { nodes: Some(Range::new(name)), ..Nodels::default() })))
}

/// A change of one attribute of one node.
fn change(number: usize, value: &str) -> (Vec<String>, Asked) {
    let name = site::node(number);
    let words = vec!["chdef".to_owned(), name.clone(), format!("usercomment={value}")];
    let define = Define {
        mode: Mode { no_wait: true, ..Mode::default() },
        objects: Some(Range::new(name)),
        attributes: vec![("usercomment".to_owned(), value.to_owned())],
        ..Define::default()
    };
    (words, Asked::Change(Command::Chdef(define)))
}

/// Asks once; gives the exit status.
fn ask(socket: &Path, (words, asked): (Vec<String>, Asked)) -> Result<u8> {
    let mut stream = UnixStream::connect(socket)?;
    let command = postcard::to_stdvec(&Sent::V1(asked))?;
    let request = Request { protocol: PROTOCOL, words, command, view: View::default(), parts: 0 };
    stream.write_all(&frame::encode(&request)?)?;
    loop {
        let mut header = [0; 4];
        stream.read_exact(&mut header)?;
        let mut body = vec![0; frame::body_len(header)?];
        stream.read_exact(&mut body)?;
        if let Reply::Done { status } = frame::decode(&body)? {
            return Ok(status);
        }
    }
}

/// Clients that ask until they are stopped.
#[derive(Debug)]
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<std::thread::JoinHandle<Result<Vec<Duration>>>>,
}

impl Load {
    /// Starts `clients` of them; each looks at, or changes, nodes of its own.
    pub(super) fn start(dir: &Path, clients: usize, nodes: usize, writes: bool) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let socket: PathBuf = dir.join("mn.sock");
        let start = |client: usize| {
            let (stop, socket) = (Arc::clone(&stop), socket.clone());
            std::thread::spawn(move || {
                let mut took = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let number = (client + took.len() * clients) % nodes + 1;
                    let value = format!("by {client}, {}", took.len());
                    let question = if writes { change(number, &value) } else { look(number) };
                    let began = Instant::now();
                    if ask(&socket, question)? != 0 {
                        return Err("a question of the load was refused".into());
                    }
                    took.push(began.elapsed());
                }
                Ok(took)
            })
        };
        Self { clients: (0..clients).map(start).collect(), stop }
    }

    /// Stops them; how long each question took.
    ///
    /// # Errors
    /// When one of them was not answered.
    pub(super) fn stop(self) -> Result<Latencies> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for client in self.clients {
            all.extend(client.join().map_err(|_| "a client panicked")??);
        }
        all.sort_unstable();
        Ok(Latencies(all))
    }
}

/// How often in a second the disk of this folder makes 4 KiB durable, one after the other.
///
/// # Errors
/// When it refuses.
pub(super) fn syncs_a_second(dir: &Path) -> Result<f64> {
    let path = dir.join("sync-test");
    let mut file = std::fs::File::create(&path)?;
    let block = [7; 4096];
    let began = Instant::now();
    let mut count = 0_u32;
    while began.elapsed() < Duration::from_secs(1) {
        file.write_all(&block)?;
        file.sync_data()?;
        count += 1;
    }
    let rate = f64::from(count) / began.elapsed().as_secs_f64();
    std::fs::remove_file(&path)?;
    Ok(rate)
}
