//! The asking side over the network: an operator's identity, a link to the management node, one
//! stream for the command; and before the certificate's end a fresh one.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::report::{Refusal, chain};
use common::wire::join::{JoinAnswer, Token};
use common::wire::operator::{Reply, Request};
use common::wire::{MN_PORT, Opening, Renew};
use runtime::disk::DirLock;
use runtime::link::LinkError;
use runtime::link::connection::Link;
use runtime::link::endpoint::{Dialer, LinkOptions};
use runtime::link::identity::{Identity, Role};
use tokio::time::timeout;

use super::parts;
use crate::audit;

/// A certificate is renewed once it has less than this to go, in seconds: half of what it lasts.
const RENEW: u64 = 7 * 86_400;

/// How long a renewal may take; the command is done by then.
const RENEW_LIMIT: Duration = Duration::from_secs(3);

/// The file with the management node's addresses, one a line.
const ADDRESSES: &str = "mn.addresses";

/// The most addresses that are tried.
const MOST: usize = 16;

/// Whom to ask, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Far {
    /// The folder with the operator's identity.
    pub home: PathBuf,
    /// `HOST:PORT`, or a host alone; none for where the operator logged in.
    pub server: Option<String>,
}

/// The folder with the operator's identity: `DROVER_HOME`, else `drover` in the user's configuration.
pub fn home() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = || set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")));
    set("DROVER_HOME").or_else(|| Some(config()?.join("drover"))).unwrap_or_else(|| PathBuf::from("drover"))
}

/// Becomes the operator that a token names; gives his name.
///
/// # Errors
/// Why not.
pub fn login(home: &Path, token: &Token) -> Result<(), Refusal> {
    let disk = |error: std::io::Error| {
        Refusal::new("cannot be written").about(home.display()).because(error.to_string())
    };
    let runtime = runtime()?;
    runtime::disk::create_dir(home, 0o700).map_err(disk)?;
    let _lock = DirLock::take(home).map_err(|error| Refusal::new(chain(&error)))?;
    let joined = runtime.block_on(runtime::link::join::join(token));
    let identity = joined.map_err(|error| error.refusal(token))?;
    let lines: String = token.addresses.iter().map(|address| format!("{address}\n")).collect();
    runtime::disk::write_durably(&home.join(ADDRESSES), lines.as_bytes(), 0o600).map_err(disk)?;
    identity.save(home).map_err(|error| Refusal::new(chain(&error)))
}

/// Asks the management node, hands each reply over as it comes, and gives the exit status.
///
/// # Errors
/// Why there is no answer.
pub fn call(far: &Far, request: Request, mut on_reply: impl FnMut(Reply)) -> Result<u8, Refusal> {
    let identity = Identity::load(&far.home).map_err(|error| {
        let refusal = Refusal::new("you are not logged in").because(chain(&error));
        refusal.attempt("mn token create --operator NAME on the management node, then mn login - here")
    })?;
    let addresses = addresses(far)?;
    runtime()?.block_on(async {
        let dialer = Dialer::with_options(
            &identity,
            LinkOptions { idle: Duration::from_secs(15), ..LinkOptions::default() },
        );
        let dialer = dialer.map_err(|error| Refusal::new(chain(&error)))?;
        let link = connect(&dialer, &addresses, &identity).await?;
        let status = ask(&link, request, &mut on_reply).await.map_err(|error| {
            // Where the link has ended, its end says more than the stream's.
            broken(&link.close_reason().unwrap_or(error), &identity)
        })?;
        let _ = timeout(RENEW_LIMIT, renew(&far.home, &identity, &link)).await;
        dialer.close().await;
        Ok(status)
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, Refusal> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|error| Refusal::new("cannot start").because(error.to_string()))
}

fn addresses(far: &Far) -> Result<Vec<SocketAddr>, Refusal> {
    let Some(server) = &far.server else {
        let path = far.home.join(ADDRESSES);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Refusal::new("cannot be read")
                .about(path.display())
                .because(error.to_string())
                .attempt("mn login again")
        })?;
        return Ok(text.lines().filter_map(|line| line.trim().parse().ok()).take(MOST).collect());
    };
    let found = match server.parse::<std::net::IpAddr>() {
        Ok(ip) => Ok(vec![SocketAddr::new(ip, MN_PORT)]),
        Err(_) if server.contains(':') => server.to_socket_addrs().map(Iterator::collect),
        Err(_) => (server.as_str(), MN_PORT).to_socket_addrs().map(Iterator::collect),
    };
    let found: Vec<SocketAddr> = found.map_err(|error| {
        Refusal::new("has no address")
            .about(server)
            .because(error.to_string())
            .attempt("--mn HOST:7700, or DROVER_MN")
    })?;
    Ok(found.into_iter().take(MOST).collect())
}

async fn connect(dialer: &Dialer, addresses: &[SocketAddr], identity: &Identity) -> Result<Link, Refusal> {
    let mut last =
        Refusal::new("nothing says where the management node is").attempt("mn login again, or --mn HOST");
    for address in addresses {
        match dialer.connect(*address, &Role::ManagementNode).await {
            Ok(link) => return Ok(link),
            Err(error) => last = broken(&error, identity),
        }
    }
    Err(last)
}

/// Why a link is of no use, and what to do.
fn broken(error: &LinkError, identity: &Identity) -> Refusal {
    let (now, end) = (runtime::clock::unix_seconds(), identity.not_after());
    let again = "mn token create --operator NAME on the management node, then mn login - here";
    if end <= now {
        return Refusal::new("your certificate has ended")
            .because(format!(
                "it lasts two weeks from the last command, until {}; the clock here says {}",
                audit::time(end),
                audit::time(now)
            ))
            .attempt(format!("date, where the clock is wrong; else {again}"));
    }
    if error.is_untimely() {
        return Refusal::new("the management node's clock and the one here do not agree")
            .because(format!(
                "a certificate was refused as out of date or not yet valid; the clock here says {}",
                audit::time(now)
            ))
            .attempt("date, on both machines, and set the one that is wrong");
    }
    match (error.refused_us(), error.we_refused()) {
        (Some(why), _) => Refusal::new("the management node refused you").because(why).attempt(again),
        (None, Some(why)) => Refusal::new("what answers there is not the management node you logged in to")
            .because(why)
            .attempt(format!("--mn HOST:PORT, or where it was made anew {again}")),
        (None, None) => Refusal::new("cannot reach the management node")
            .because(chain(error))
            .attempt("check the network and that mn serve runs there, or name another with --mn HOST:PORT"),
    }
}

async fn ask(link: &Link, request: Request, on_reply: &mut impl FnMut(Reply)) -> Result<u8, LinkError> {
    let (mut sender, mut receiver) = link.open().await?;
    let (request, parts) = parts(request);
    let sent = async {
        sender.send(&Opening::Command(request)).await?;
        for part in &parts {
            sender.send(part).await?;
        }
        sender.finish();
        Ok::<_, LinkError>(())
    };
    // A management node that refuses answers without reading the rest.
    let answered = async {
        loop {
            match receiver.expect::<Reply>().await? {
                Reply::Done { status } => return Ok::<u8, LinkError>(status),
                reply => on_reply(reply),
            }
        }
    };
    tokio::pin!(sent, answered);
    tokio::select! {
        status = &mut answered => return status,
        _ = &mut sent => {}
    }
    answered.await
}

/// Asks for a certificate that lasts longer, where this one is half over. One that cannot be had now
/// is asked for by the next command.
async fn renew(home: &Path, identity: &Identity, link: &Link) {
    if identity.not_after().saturating_sub(runtime::clock::unix_seconds()) > RENEW {
        return;
    }
    // Another command may be at it.
    let Ok(_lock) = DirLock::take(home) else { return };
    let wish = async {
        let (mut sender, mut receiver) = link.open().await.ok()?;
        sender.send(&Opening::Renew(Renew { public_key: identity.public_key()? })).await.ok()?;
        match receiver.expect::<JoinAnswer>().await.ok()? {
            JoinAnswer::Welcome { chain, .. } => identity.renewed(chain).ok(),
            JoinAnswer::Refused(_) | JoinAnswer::Later(_) => None,
        }
    };
    if let Some(fresh) = wish.await {
        // The old one serves until it ends.
        let _ = fresh.save(home);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_an_address_or_a_host_with_a_port_or_without() {
        let find = |server: &str| {
            addresses(&Far { home: PathBuf::new(), server: Some(server.to_owned()) })
                .map(|found| found[0].to_string())
        };
        assert_eq!(find("10.0.0.1").unwrap(), "10.0.0.1:7700");
        assert_eq!(find("10.0.0.1:99").unwrap(), "10.0.0.1:99");
        assert_eq!(find("::1").unwrap(), "[::1]:7700");
        assert!(find("[::1]:99").is_ok() && find("10.0.0.1:99x").is_err());
    }

    #[test]
    fn who_is_not_logged_in_is_told_how() {
        let folder = tempfile::tempdir().unwrap();
        let far = Far { home: folder.path().to_owned(), server: None };
        let request = Request {
            protocol: 1,
            words: Vec::new(),
            command: Vec::new(),
            view: common::wire::operator::View::default(),
            parts: 0,
        };
        let refusal = call(&far, request, |_| ()).unwrap_err();
        assert!(refusal.attempt.is_some_and(|text| text.contains("mn login")));
    }
}
