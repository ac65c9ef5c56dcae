//! The operators' side: one unix socket, one request a connection, replies until the last; and the
//! desk where commands are heard that came this way or over a link ([`remote`]).
//!
//! Anyone on the machine may connect; who asks is what the kernel says of the peer. What he may do,
//! the policy table says (`mn_core::policy`); root and the owner of the folder may do everything that
//! no row denies them by name. A folder of mode 0700 keeps all others out.

mod asker;
mod desk;
mod execute;
mod lsmn;
mod lsslice;
mod places;
mod prune;
pub(crate) mod remote;

use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use common::wire::frame;
use common::wire::operator::Request;
use nix::unistd::Uid;
use runtime::link::stream::{FrameReader, FrameWriter};
use runtime::supervise::{BoxError, Nursery};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use self::asker::{Asker, Owner};
pub use self::desk::Desk;
use self::places::{COMMANDS, Full, Place, Places};
use crate::client::{SOCKET, Short};
use crate::ground::Way;
use crate::host::user_name;

/// How long a client may take to send its request.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// What this machine is called where the model is not asked.
const HERE: &str = "localhost";

/// The bound socket, and whose folder it is in.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    owner: Owner,
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
    let short = Short::of(&made)?;
    let listener = UnixListener::bind(short.path())?;
    // Anyone who may enter the folder may connect; the policy table does the rest.
    std::fs::set_permissions(&made, std::fs::Permissions::from_mode(0o666))?;
    std::fs::rename(&made, dir.join(SOCKET))?;
    let uid = Uid::from_raw(std::fs::metadata(dir)?.uid());
    Ok(Socket { listener, owner: Owner { uid, name: user_name(uid) } })
}

/// Serves commands until `stop`.
///
/// # Errors
/// When the socket broke.
pub async fn serve(socket: Socket, desk: Desk, stop: CancellationToken) -> Result<(), BoxError> {
    let commands = Nursery::new("command", COMMANDS, stop.clone());
    let places = desk.places.clone();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = socket.listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => admit(stream, &socket.owner, &places, &desk, &commands),
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

/// Gives a connection its place, or turns it back at once.
fn admit(stream: UnixStream, owner: &Owner, places: &Places, desk: &Desk, commands: &Nursery) {
    let uid = match stream.peer_cred() {
        Ok(peer) => Uid::from_raw(peer.uid()),
        Err(error) => return debug!(%error, "a command came from nobody"),
    };
    let place = if owner.trusts(uid) { places.trusted() } else { places.other(&uid.to_string()) };
    match place {
        Ok(place) => {
            let command = connection(stream, uid, owner.clone(), desk.clone(), place);
            if !commands.try_spawn(command) {
                debug!(%uid, "a command came while the daemon stops");
            }
        }
        Err(full) => {
            desk.refused(&caller(uid), HERE, &full.to_string());
            turn_back(&stream, full);
        }
    }
}

/// What somebody is called who did not get so far that his name was looked up.
fn caller(uid: Uid) -> String {
    format!("uid {uid}")
}

/// Says that there is no place. A socket that was just accepted has room for this much.
fn turn_back(stream: &UnixStream, full: Full) {
    let replies = remote::turned_back(full);
    let bytes: Vec<u8> = replies.iter().filter_map(|reply| frame::encode(reply).ok()).flatten().collect();
    // Who does not hear it is cut off all the same.
    let _ = stream.try_write(&bytes);
}

async fn connection(stream: UnixStream, uid: Uid, owner: Owner, desk: Desk, _place: Place) {
    let (read, write) = stream.into_split();
    let mut reader = FrameReader::new(read);
    let request = match timeout(REQUEST_LIMIT, reader.recv::<Request>()).await {
        Ok(Ok(Some(request))) => request,
        // Who looks whether somebody listens has asked nothing.
        Ok(Ok(None)) => return,
        Ok(Err(error)) => {
            return desk.refused(&caller(uid), HERE, &format!("the command could not be read: {error}"));
        }
        Err(_) => return desk.refused(&caller(uid), HERE, "the command was not sent in time"),
    };
    let server = desk.server_name();
    let asker = if owner.trusts(uid) {
        Asker::local(uid, &owner, &server)
    } else {
        // A user's name may come from a directory server that takes its time.
        let asker = tokio::task::spawn_blocking(move || Asker::local(uid, &owner, &server)).await;
        let Ok(asker) = asker else { return debug!(%uid, "the user could not be looked up") };
        asker
    };
    desk.hear(asker, request, &mut reader, Way::Local(FrameWriter::new(write))).await;
}
