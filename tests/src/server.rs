//! Servers of others that Drover works with: a site's name server, NFS-Ganesha.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::Result;
use crate::net::Host;
use crate::process::{Daemon, Run};

/// A name server that has one answer for every question.
#[derive(Debug)]
pub struct NameServer {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl NameServer {
    /// Answers every question at the host with `address`; with none, hears them and says nothing.
    ///
    /// # Errors
    /// When port 53 of the host is taken.
    pub fn start(host: &Host, address: Option<Ipv4Addr>) -> Result<Self> {
        let socket = host.enter(|| Ok(UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 53))?))?;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        let end = Arc::new(AtomicBool::new(false));
        let asked_to_end = Arc::clone(&end);
        let serve = move || {
            let mut packet = [0; 1500];
            while !asked_to_end.load(Ordering::Relaxed) {
                match socket.recv_from(&mut packet) {
                    Ok((length, from)) => {
                        let reply = address.and_then(|address| reply(&packet[..length], address));
                        let _ = reply.map(|reply| socket.send_to(&reply, from));
                    }
                    Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                    Err(_) => return,
                }
            }
        };
        Ok(Self { end, thread: Some(std::thread::spawn(serve)) })
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// The question with one A record behind it.
fn reply(question: &[u8], address: Ipv4Addr) -> Option<Vec<u8>> {
    let header = question.get(..12)?;
    let name = question.get(12..)?;
    // Behind the name's end: type and class.
    let end = 12 + name.iter().position(|byte| *byte == 0)? + 5;
    let mut reply = header.get(..2)?.to_vec();
    // A response, recursion desired and available; one question, one answer.
    reply.extend([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    reply.extend(question.get(12..end)?);
    // The question's name, A, IN, a minute, four bytes.
    reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
    reply.extend(address.octets());
    Some(reply)
}

/// Starts NFS-Ganesha at a service node, with the configuration that Drover wrote into its folder
/// `nfs`. Its own state is in folders of its own: several may run on one machine.
///
/// # Errors
/// When it does not come up.
pub fn ganesha(host: &Host, nfs: &Path) -> Result<Daemon> {
    let script = "mkdir -p /run/ganesha; mount -t tmpfs tmpfs /run/ganesha
        mount -t tmpfs tmpfs /var/lib/nfs; mkdir -p /var/lib/nfs/ganesha
        exec ganesha.nfsd -F -f $1/ganesha.conf -L STDERR -N NIV_EVENT -p $1/ganesha.pid";
    let run = Run::new("unshare").args(["--mount", "--propagation", "private", "sh", "-ec", script, "sh"]);
    let mut daemon = run.arg(nfs).spawn(host, &nfs.join("ganesha.log"))?;
    daemon.await_words("NFS SERVER INITIALIZED")?;
    Ok(daemon)
}
