//! Names and time, as a node asks for them: dig and chronyd.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use crate::Result;
use crate::net::Host;
use crate::process::Run;

fn dig(host: &Host, server: Ipv4Addr, words: &[&str]) -> Result<String> {
    let run =
        Run::new("dig").args(["+time=2", "+tries=2"]).arg(format!("@{server}")).args(words.iter().copied());
    run.on(host)?.ok()
}

/// What `dig +short` prints for a name: one answer a line.
///
/// # Errors
/// When the server does not answer.
pub fn name(host: &Host, server: Ipv4Addr, name: &str) -> Result<Vec<String>> {
    Ok(dig(host, server, &["+short", name, "A"])?.lines().map(str::to_owned).collect())
}

/// The names of an address.
///
/// # Errors
/// When the server does not answer.
pub fn address(host: &Host, server: Ipv4Addr, address: Ipv4Addr) -> Result<Vec<String>> {
    Ok(dig(host, server, &["+short", "-x", &address.to_string()])?.lines().map(str::to_owned).collect())
}

/// The response code for a name, such as `NXDOMAIN`.
///
/// # Errors
/// When the server does not answer.
pub fn code(host: &Host, server: Ipv4Addr, name: &str) -> Result<String> {
    let text = dig(host, server, &[name, "A"])?;
    let code = text.split("status: ").nth(1).and_then(|rest| rest.split(',').next());
    code.map(str::to_owned).ok_or_else(|| format!("dig printed no status: {text}").into())
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The response code, such as `NOERROR`.
    pub code: String,
    /// The data of the answer section: one record each.
    pub answers: Vec<String>,
    /// The flags, such as `qr aa rd ra`.
    pub flags: String,
    /// All that dig printed.
    pub text: String,
}

/// Asks a server once, with words as dig takes them.
///
/// # Errors
/// When there is no reply within ten seconds.
pub fn ask(host: &Host, server: Ipv4Addr, words: &[&str]) -> Result<Reply> {
    let text = dig(host, server, &[&["+tries=1", "+time=10"], words].concat())?;
    let between = |start: &str, end: char| {
        text.split_once(start)
            .and_then(|(_, rest)| rest.split_once(end))
            .map(|(found, _)| found.trim().to_owned())
    };
    let section = text.split_once(";; ANSWER SECTION:\n").map_or("", |(_, rest)| rest);
    let records = section.lines().take_while(|line| !line.is_empty());
    let answers = records.filter_map(|line| line.split_whitespace().nth(4)).map(str::to_owned).collect();
    match (between("status: ", ','), between("flags: ", ';')) {
        (Some(code), Some(flags)) => Ok(Reply { code, answers, flags, text }),
        _ => Err(format!("dig printed no reply: {text}").into()),
    }
}

/// How far the host's clock is from the server's, in seconds, as chronyd measures it.
///
/// # Errors
/// When chronyd finds no usable server there.
pub fn clock(host: &Host, server: Ipv4Addr) -> Result<f64> {
    clock_by_version(host, server, 4)
}

/// The same, with a version of NTP.
///
/// # Errors
/// As [`clock`].
pub fn clock_by_version(host: &Host, server: Ipv4Addr, version: u8) -> Result<f64> {
    let run = Run::new("chronyd").args(["-Q", "-t", "10", "-u", "root", "-f", "/dev/null"]);
    let run = run.arg(format!("server {server} iburst maxsamples 1 version {version}"));
    let ended = run.limit(Duration::from_secs(20)).on(host)?;
    let said = format!("{}{}", ended.out, ended.err);
    let wrong = said.split("System clock wrong by ").nth(1).and_then(|rest| rest.split(' ').next());
    let wrong = wrong.and_then(|word| word.parse().ok()).filter(|_| ended.status == 0);
    wrong.ok_or_else(|| format!("chronyd got no time from {server}: {}", said.trim()).into())
}

/// The seconds since 1900 that a server answers a bare SNTP request with, as small clients send it
/// (RFC 4330 §5); none where it says nothing within a second.
///
/// # Errors
/// When the request cannot be sent.
pub fn seconds_since_1900(host: &Host, server: Ipv4Addr) -> Result<Option<u32>> {
    host.enter(|| {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect((server, 123))?;
        socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        let mut request = [0; 48];
        // No leap warning, version 4, client.
        request[0] = 0b00_100_011;
        socket.send(&request)?;
        let mut reply = [0; 48];
        // Silence, or word that nobody listens there.
        let Ok(48) = socket.recv(&mut reply) else { return Ok(None) };
        let [.., a, b, c, d, _, _, _, _] = reply;
        Ok(Some(u32::from_be_bytes([a, b, c, d])))
    })
}
