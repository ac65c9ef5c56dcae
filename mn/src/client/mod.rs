//! The asking side: one request, replies until the last; here by the unix socket, in [`remote`] over
//! the network.
//!
//! Blocks: a command does one thing and ends. The frames are those of `common::wire::frame`.

pub mod remote;

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use common::wire::frame::{self, FrameError};
use common::wire::operator::{PART, Reply, Request};

/// The name of the socket in the daemon's folder.
pub const SOCKET: &str = "mn.sock";

/// Why a command was not answered.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody answers at the socket.
    #[error("cannot reach the management node at {}", .path.display())]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It answered, and then no more.
    #[error(
        "the management node stopped answering; whether the command was carried out shows in its history"
    )]
    CutShort(#[source] io::Error),
    /// The request is too long, or the answer is none.
    #[error("the management node and this command do not understand each other")]
    Garbled(#[source] FrameError),
}

/// Asks the daemon that lives in `dir`, hands each reply over as it comes, and gives the exit status.
///
/// # Errors
/// When the daemon cannot be reached or stops answering.
pub fn call(dir: &Path, request: Request, mut on_reply: impl FnMut(Reply)) -> Result<u8, ClientError> {
    let path = dir.join(SOCKET);
    let connected = Short::of(&path).and_then(|short| UnixStream::connect(short.path()));
    let mut stream = connected.map_err(|source| ClientError::Unreachable { path, source })?;
    // A daemon that refuses this user answers without reading; its answer counts, not this error.
    let sent = frames(request)?.iter().try_for_each(|bytes| stream.write_all(bytes));
    loop {
        let mut header = [0; 4];
        if let Err(error) = stream.read_exact(&mut header) {
            return Err(ClientError::CutShort(sent.err().unwrap_or(error)));
        }
        let mut body = vec![0; frame::body_len(header).map_err(ClientError::Garbled)?];
        stream.read_exact(&mut body).map_err(ClientError::CutShort)?;
        match frame::decode(&body).map_err(ClientError::Garbled)? {
            Reply::Done { status } => return Ok(status),
            reply => on_reply(reply),
        }
    }
}

/// The longest path that a unix socket's address holds (unix(7)), its final NUL not counted.
const LONGEST_PATH: usize = 107;

/// A path to a socket that fits into an address: of one that is too long, by way of its open folder.
#[derive(Debug)]
pub(crate) struct Short {
    path: PathBuf,
    _folder: Option<File>,
}

impl Short {
    /// The short path of the same file.
    ///
    /// # Errors
    /// When it is too long and its folder cannot be opened.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        if path.as_os_str().as_bytes().len() <= LONGEST_PATH {
            return Ok(Self { path: path.to_owned(), _folder: None });
        }
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        // O_PATH: the folder need not be readable to go through it.
        let flags = nix::fcntl::OFlag::O_PATH | nix::fcntl::OFlag::O_DIRECTORY;
        let folder = OpenOptions::new().read(true).custom_flags(flags.bits()).open(folder)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
        Ok(Self { path, _folder: Some(folder) })
    }

    /// The path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// The request with the start of its command, and the rest in parts that fit into a frame each.
fn parts(mut request: Request) -> (Request, Vec<Vec<u8>>) {
    let rest = request.command.split_off(request.command.len().min(PART));
    let parts: Vec<Vec<u8>> = rest.chunks(PART).map(<[u8]>::to_vec).collect();
    // 2^32 parts of half a mebibyte are more than any machine holds.
    request.parts = u32::try_from(parts.len()).unwrap_or(u32::MAX);
    (request, parts)
}

/// The request, and the rest of a command that is longer than a frame.
fn frames(request: Request) -> Result<Vec<Vec<u8>>, ClientError> {
    let (request, parts) = parts(request);
    let first = frame::encode(&request);
    let frames = std::iter::once(first).chain(parts.iter().map(frame::encode));
    frames.collect::<Result<_, _>>().map_err(ClientError::Garbled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::wire::PROTOCOL;
    use common::wire::operator::View;

    #[test]
    fn a_folder_of_any_depth_can_have_a_socket() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("d".repeat(120));
        std::fs::create_dir(&deep).unwrap();
        let path = deep.join(SOCKET);
        let listener = std::os::unix::net::UnixListener::bind(Short::of(&path).unwrap().path()).unwrap();
        assert!(path.exists());
        UnixStream::connect(Short::of(&path).unwrap().path()).unwrap();
        listener.accept().unwrap();
    }

    #[test]
    fn a_long_command_goes_in_parts_and_is_whole_again() {
        let command: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let view = View::default();
        let request = Request { protocol: PROTOCOL, words: vec![], command: command.clone(), view, parts: 0 };
        let frames = frames(request).unwrap();
        let mut bodies = frames.iter().map(|bytes| &bytes[4..]);
        let first: Request = frame::decode(bodies.next().unwrap()).unwrap();
        assert_eq!(usize::try_from(first.parts).unwrap(), frames.len() - 1);
        let mut whole = first.command;
        bodies.for_each(|body| whole.extend(frame::decode::<Vec<u8>>(body).unwrap()));
        assert!(whole == command);
    }
}
