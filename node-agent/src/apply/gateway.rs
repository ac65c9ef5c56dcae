//! The node's default route, where that is its service node: changed with `ip route`, and believed
//! only when the kernel shows it (`proc_net(5)`, `/proc/net/route`).

use std::io;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use common::wire::agent::Desired;

use super::{Change, Host, StepError};

/// Why the default route is not as desired.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The kernel's table cannot be read.
    #[error("cannot read the kernel's routes")]
    Read(#[source] io::Error),
    /// The program cannot be run.
    #[error("cannot run `ip route`")]
    Run(#[source] io::Error),
    /// It refused.
    #[error("`ip route` refused: {0}")]
    Refused(String),
    /// It said yes, but another route is used.
    #[error("the default route goes through {0} all the same")]
    Another(String),
}

pub(super) fn apply(host: &Host, desired: &Desired) -> Option<Result<Change, StepError>> {
    let gateway = desired.gateway?;
    Some(route_through(host, gateway).map_err(StepError::from))
}

fn route_through(host: &Host, gateway: Ipv4Addr) -> Result<Change, GatewayError> {
    if now(host)? == Some(gateway) {
        return Ok(Change::Kept);
    }
    let output = Command::new(&host.ip)
        .args(["route", "replace", "default", "via", &gateway.to_string()])
        .stdin(Stdio::null())
        .output()
        .map_err(GatewayError::Run)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(GatewayError::Refused(said.trim().chars().take(300).collect()));
    }
    match now(host)? {
        Some(found) if found == gateway => Ok(Change::Changed),
        found => {
            let found = found.map_or_else(|| "nobody".to_owned(), |found| found.to_string());
            Err(GatewayError::Another(found))
        }
    }
}

fn now(host: &Host) -> Result<Option<Ipv4Addr>, GatewayError> {
    let table = std::fs::read_to_string(&host.routes).map_err(GatewayError::Read)?;
    Ok(default_gateway(&table))
}

/// The gateway of the default route with the lowest metric: the one that is used.
fn default_gateway(table: &str) -> Option<Ipv4Addr> {
    let default = |line: &str| {
        // Iface Destination Gateway Flags RefCnt Use Metric Mask …
        let mut fields = line.split_whitespace().skip(1);
        let destination = hex(fields.next()?)?;
        let gateway = hex(fields.next()?)?;
        let flags = hex(fields.next()?)?;
        let metric: u32 = fields.nth(2)?.parse().ok()?;
        let mask = hex(fields.next()?)?;
        // RTF_UP and RTF_GATEWAY (`linux/route.h`).
        let usable = destination == 0 && mask == 0 && flags & 3 == 3;
        // Addresses are printed as the machine's own words, which hold them in network order.
        usable.then(|| (metric, Ipv4Addr::from(gateway.to_ne_bytes())))
    };
    table.lines().filter_map(default).min_by_key(|(metric, _)| *metric).map(|(_, gateway)| gateway)
}

fn hex(field: &str) -> Option<u32> {
    u32::from_str_radix(field, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n";

    #[test]
    fn the_default_route_with_the_lowest_metric_counts() {
        let table = format!(
            "{HEAD}eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
             eth1\t00000000\t0200000A\t0003\t0\t0\t10\t00000000\t0\t0\t0\n\
             eth1\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        );
        assert_eq!(default_gateway(&table), Some([10, 0, 0, 2].into()));
    }

    #[test]
    fn no_default_route_is_none() {
        assert_eq!(default_gateway(HEAD), None);
        assert_eq!(default_gateway("nonsense\n\n\u{e9} a b c d e f g"), None);
    }
}
