//! The operators' side: one unix socket, one request a connection, replies until the last.
//!
//! Who asks is what the kernel says of the peer. Root and the owner of the folder may do everything;
//! others are refused until the policy table is asked. Every command that changes something is in
//! the history, allowed or refused, with who and with which words; reads are not, as they never
//! wait for the disk.

mod execute;
mod reply;

use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::report::Refusal;
use common::wire::PROTOCOL;
use common::wire::operator::{MAX_COMMAND, Request};
use mn_core::change::{Context, Sent};
use nix::unistd::Uid;
use runtime::link::stream::{FrameReader, FrameWriter};
use runtime::supervise::{BoxError, Nursery};
use tokio::net::unix::OwnedReadHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

pub use self::reply::{Gone, Replies};
use crate::client::SOCKET;
use crate::daemon::user_name;
use crate::operate::{Ground, Site};
use crate::store::book::{By, Planned};

/// How many commands may run at once. Each is a task and a few buffers; scripts start hundreds.
const COMMANDS: usize = 512;

/// How long a client may take to send its request.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// The bound socket, and whose folder it is in.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    owner: Uid,
}

/// Makes the socket in `dir`, in the place of one that a daemon left that was killed.
///
/// # Errors
/// What the system said.
pub fn bind(dir: &Path) -> io::Result<Socket> {
    // Made beside and renamed: who waits for the socket to appear can connect once it is there.
    let made = dir.join(format!("{SOCKET}.new"));
    match std::fs::remove_file(&made) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&made)?;
    std::fs::set_permissions(&made, std::fs::Permissions::from_mode(0o660))?;
    std::fs::rename(&made, dir.join(SOCKET))?;
    Ok(Socket { listener, owner: Uid::from_raw(std::fs::metadata(dir)?.uid()) })
}

/// Serves commands until `stop`.
///
/// # Errors
/// When the socket broke.
pub async fn serve(socket: Socket, site: Site, stop: CancellationToken) -> Result<(), BoxError> {
    let commands = Nursery::new("command", COMMANDS, stop.clone());
    let owner = Arc::new((socket.owner, user_name(socket.owner)));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = socket.listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                if !commands.try_spawn(connection(stream, site.clone(), Arc::clone(&owner))) {
                    warn!("too many commands at once; one was dropped");
                }
            }
            Err(error) => {
                // Out of file descriptors passes; anything else shows up again at once.
                warn!(%error, "a command could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    commands.drained().await;
    Ok(())
}

async fn connection(stream: UnixStream, site: Site, owner: Arc<(Uid, String)>) {
    let uid = match stream.peer_cred() {
        Ok(peer) => Uid::from_raw(peer.uid()),
        Err(error) => return warn!(%error, "a command came from nobody"),
    };
    let (read, write) = stream.into_split();
    let mut reader = FrameReader::new(read);
    let mut request = match timeout(REQUEST_LIMIT, reader.expect::<Request>()).await {
        Ok(Ok(request)) => request,
        Ok(Err(error)) => return debug!(%error, "a command could not be read"),
        Err(_) => return debug!("a command was not sent in time"),
    };
    let allowed = author(uid, &owner);
    if allowed.is_some()
        && let Err(error) = gather(&mut reader, &mut request).await
    {
        return debug!(%error, "a command could not be read");
    }
    let replies = Replies::new(FrameWriter::new(write), request.view);
    let status = match allowed {
        Some(author) => answer(&site, author, request, &replies).await,
        None => turn_away(&site, uid, request, &replies).await,
    };
    // Who has gone needs no status.
    let _ = replies.done(status).await;
}

/// Reads the rest of a long command.
async fn gather(reader: &mut FrameReader<OwnedReadHalf>, request: &mut Request) -> Result<(), BoxError> {
    for _ in 0..request.parts {
        let part = timeout(REQUEST_LIMIT, reader.expect::<Vec<u8>>()).await??;
        if request.command.len() + part.len() > MAX_COMMAND {
            return Err("it is longer than any command".into());
        }
        request.command.extend_from_slice(&part);
    }
    Ok(())
}

/// The name under which a user may give commands; none where he may not.
fn author(uid: Uid, owner: &(Uid, String)) -> Option<String> {
    if uid.is_root() {
        Some("root".to_owned())
    } else if uid == owner.0 {
        Some(owner.1.clone())
    } else {
        None
    }
}

async fn turn_away(site: &Site, uid: Uid, request: Request, replies: &Replies) -> u8 {
    let command = request.words.first().map_or("mn", String::as_str).to_owned();
    info!(%uid, command, "command was refused: not allowed");
    let by = By { author: format!("uid {uid}"), words: request.words };
    let note = "refused: only root and the owner of the folder may give commands".to_owned();
    let recorded = site.book.change(by, |_| Planned { note, record: true, ..Planned::new(None, ()) }).await;
    if let Err(error) = recorded {
        debug!(%error, "a refused command was not recorded");
    }
    let refusal = Refusal::new(format!("permission denied for user {uid}"))
        .because("only root and the owner of the management node's folder may give commands here")
        .attempt("ask as root");
    let _ = replies.err(refusal.render(&command)).await;
    1
}

async fn answer(site: &Site, author: String, request: Request, replies: &Replies) -> u8 {
    let command = request.words.first().map_or("mn", String::as_str).to_owned();
    let sent = postcard::from_bytes::<Sent>(&request.command);
    let asked = match sent {
        Ok(sent) if request.protocol <= PROTOCOL => sent.into_asked(),
        _ => {
            let refusal = Refusal::new("the command and the daemon are of different versions")
                .attempt("restart the daemon after an update, or run the command that came with it");
            let _ = replies.err(refusal.render(&command)).await;
            return 1;
        }
    };
    let context = Context { server: server_name(site), view: request.view };
    let by = By { author, words: request.words };
    let ground = Ground { site: site.clone(), by, context, replies: replies.clone() };
    execute::execute(&ground, asked).await
}

/// The management node's own name, as it stands in its group.
fn server_name(site: &Site) -> String {
    let members = site.book.read().members("__mgmtnode");
    members.first().map_or_else(|| "mn".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests;
