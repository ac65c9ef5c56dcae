//! DHCP as a node does it: ISC dhclient and busybox udhcpc, and a listener that collects every offer.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::id::MacAddr;
use dhcproto::v4::{DhcpOption, Message, MessageType, Opcode, OptionCode};
use dhcproto::{Decodable as _, Decoder, Encodable as _};
use socket2::{Domain, Socket, Type};

use crate::net::Host;
use crate::process::Run;
use crate::{Result, wait};

/// What a client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    words: BTreeMap<String, String>,
}

impl Lease {
    fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file)?;
        let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(Self { words: text.lines().filter_map(pair).collect() })
    }

    /// A word: `ip`, `server`, `router`, `dns`, `ntp`, `log`, `host`, `domain`, `next`, `file`.
    pub fn word(&self, name: &str) -> &str {
        self.words.get(name).map_or("", String::as_str)
    }

    /// The address that the client was given.
    pub fn ip(&self) -> Option<Ipv4Addr> {
        self.word("ip").parse().ok()
    }

    /// The server that gave it.
    pub fn server(&self) -> Option<Ipv4Addr> {
        self.word("server").parse().ok()
    }
}

/// Which client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// ISC dhclient.
    Dhclient,
    /// busybox udhcpc.
    Udhcpc,
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/lease-script")
}

/// Gets a lease on `eth0`, as at power-on; `folder` keeps the client's files.
///
/// # Errors
/// When no lease came within `limit`.
pub fn boot(host: &Host, client: Client, folder: &Path, limit: Duration) -> Result<Lease> {
    std::fs::create_dir_all(folder)?;
    let file = folder.join("lease");
    let _ = std::fs::remove_file(&file);
    let leases = folder.join("dhclient.leases");
    let _ = std::fs::remove_file(&leases);
    let run = match client {
        Client::Dhclient => {
            // Short timers: a lost packet costs a second, not ten.
            let conf = folder.join("dhclient.conf");
            std::fs::write(
                &conf,
                format!(
                    "timeout {};\nretry 1;\ninitial-interval 1;\nbackoff-cutoff 2;\n\
                request subnet-mask, routers, domain-name-servers, domain-name, host-name, ntp-servers, \
                log-servers;\n",
                    limit.as_secs()
                ),
            )?;
            Run::new("dhclient")
                .args(["-4", "-1", "-q", "-sf"])
                .arg(script())
                .arg("-e")
                .arg(format!("LEASE_FILE={}", file.display()))
                .arg("-cf")
                .arg(conf)
                .arg("-lf")
                .arg(leases)
                .arg("-pf")
                .arg(folder.join("dhclient.pid"))
                .arg("eth0")
        }
        Client::Udhcpc => {
            let tries = (limit.as_secs()).max(1).to_string();
            Run::new("busybox")
                .args(["udhcpc", "-i", "eth0", "-n", "-q", "-f", "-T", "1", "-t", &tries])
                .args(["-O", "ntpsrv", "-s"])
                .arg(script())
                .env("LEASE_FILE", &file)
        }
    };
    run.limit(limit + Duration::from_secs(10)).on(host)?.ok()?;
    if client == Client::Dhclient {
        // It stays to renew; a node that reboots starts afresh.
        stop(folder);
    }
    Lease::read(&file)
}

fn stop(folder: &Path) {
    let file = folder.join("dhclient.pid");
    let pid = || std::fs::read_to_string(&file).ok()?.trim().parse().ok();
    if let Ok(pid) = wait::until("dhclient's pid file", wait::LONG, pid) {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        let _ = std::fs::remove_file(file);
    }
}

/// An offer that reached a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The server's identifier.
    pub server: Ipv4Addr,
    /// The address offered.
    pub ip: Ipv4Addr,
    /// Where boot files come from.
    pub next_server: Ipv4Addr,
    /// The boot file.
    pub file: String,
}

/// How a client that only asks presents itself.
#[derive(Clone, Debug, Default)]
pub struct Firmware {
    /// Option 60.
    pub class: Option<String>,
    /// Option 93.
    pub architecture: Option<u16>,
    /// Option 77, as its bare bytes.
    pub user_class: Option<String>,
}

/// Sends one DISCOVER from `eth0` and collects every offer that comes within `listen`.
///
/// # Errors
/// When the socket cannot be had.
pub fn offers(host: &Host, mac: MacAddr, firmware: &Firmware, listen: Duration) -> Result<Vec<Offer>> {
    let packet = discover(mac, firmware)?;
    host.enter(|| {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        // A client that is ending may still have the port.
        socket.set_reuse_address(true)?;
        socket.set_broadcast(true)?;
        socket.bind_device(Some(b"eth0"))?;
        socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68).into())?;
        let socket = UdpSocket::from(socket);
        socket.send_to(&packet, SocketAddrV4::new(Ipv4Addr::BROADCAST, 67))?;
        let end = Instant::now() + listen;
        let mut offers = Vec::new();
        let mut buffer = [0; 2048];
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            socket.set_read_timeout(Some(left))?;
            let Ok((len, _)) = socket.recv_from(&mut buffer) else { break };
            offers.extend(offer(&buffer[..len], mac));
        }
        Ok(offers)
    })
}

/// The same for a node that somebody answers: asks until an offer comes, which on a busy machine may
/// take longer than `listen`.
///
/// # Errors
/// When nobody answers.
pub fn answers(host: &Host, mac: MacAddr, firmware: &Firmware, listen: Duration) -> Result<Vec<Offer>> {
    let ask = || offers(host, mac, firmware, listen).ok().filter(|found| !found.is_empty());
    let mut found: Vec<Offer> = Vec::new();
    for offer in wait::until(format!("an offer for {mac}"), wait::LONG, ask)? {
        // The one before may have been answered late.
        if !found.contains(&offer) {
            found.push(offer);
        }
    }
    Ok(found)
}

/// The bytes of a DISCOVER.
///
/// # Errors
/// When it cannot be encoded.
pub fn discover(mac: MacAddr, firmware: &Firmware) -> Result<Vec<u8>> {
    let unset = Ipv4Addr::UNSPECIFIED;
    let mut message = Message::new(unset, unset, unset, unset, &mac.bytes());
    message.set_flags(dhcproto::v4::Flags::default().set_broadcast());
    let options = message.opts_mut();
    options.insert(DhcpOption::MessageType(MessageType::Discover));
    let wanted = [OptionCode::SubnetMask, OptionCode::Router, OptionCode::DomainNameServer];
    options.insert(DhcpOption::ParameterRequestList(wanted.to_vec()));
    if let Some(class) = &firmware.class {
        options.insert(DhcpOption::ClassIdentifier(class.clone().into_bytes()));
    }
    if let Some(architecture) = firmware.architecture {
        options.insert(DhcpOption::ClientSystemArchitecture(architecture.into()));
    }
    if let Some(user) = &firmware.user_class {
        options.insert(DhcpOption::UserClass(user.clone().into_bytes()));
    }
    Ok(message.to_vec()?)
}

fn offer(bytes: &[u8], mac: MacAddr) -> Option<Offer> {
    // dhcproto panics on a hardware address longer than its field.
    if bytes.get(2).is_none_or(|len| *len > 16) {
        return None;
    }
    let message = Message::decode(&mut Decoder::new(bytes)).ok()?;
    if message.opcode() != Opcode::BootReply || message.chaddr() != mac.bytes() {
        return None;
    }
    let Some(DhcpOption::ServerIdentifier(server)) = message.opts().get(OptionCode::ServerIdentifier) else {
        return None;
    };
    let file = String::from_utf8_lossy(message.fname().unwrap_or_default()).trim_end_matches('\0').to_owned();
    Some(Offer { server: *server, ip: message.yiaddr(), next_server: message.siaddr(), file })
}
