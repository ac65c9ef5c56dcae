//! Names and time, as a node asks for them: dig and chronyd.

use std::net::Ipv4Addr;
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

/// How far the host's clock is from the server's, in seconds, as chronyd measures it.
///
/// # Errors
/// When chronyd finds no usable server there.
pub fn clock(host: &Host, server: Ipv4Addr) -> Result<f64> {
    let run = Run::new("chronyd").args(["-Q", "-t", "10", "-u", "root", "-f", "/dev/null"]);
    let run = run.arg(format!("server {server} iburst maxsamples 1")).limit(Duration::from_secs(20));
    let ended = run.on(host)?;
    let said = format!("{}{}", ended.out, ended.err);
    let wrong = said.split("System clock wrong by ").nth(1).and_then(|rest| rest.split(' ').next());
    let wrong = wrong.and_then(|word| word.parse().ok()).filter(|_| ended.status == 0);
    wrong.ok_or_else(|| format!("chronyd got no time from {server}: {}", said.trim()).into())
}
