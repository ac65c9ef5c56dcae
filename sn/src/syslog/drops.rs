//! How many datagrams the kernel dropped because our socket was full: the one loss that the
//! receiver itself cannot see.

use std::fs;
use std::net::SocketAddrV4;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Where the kernel says so, for the network namespace that we are in.
const TABLE: &str = "/proc/net/udp";
/// How often it is asked.
const LOOK: Duration = Duration::from_secs(10);

/// Warns of datagrams that were dropped on the socket bound to `address`, until `stop`.
pub(super) async fn watch(address: SocketAddrV4, stop: CancellationToken) {
    let mut before = 0;
    loop {
        let is_over = tokio::time::timeout(LOOK, stop.cancelled()).await.is_ok();
        let dropped =
            fs::read_to_string(TABLE).ok().and_then(|table| drops(&table, address)).unwrap_or(before);
        if dropped > before {
            warn!(
                lines = dropped - before,
                total = dropped,
                "syslog datagrams were dropped by the kernel: the disk is slow, or net.core.rmem_max is low"
            );
            before = dropped;
        }
        if is_over {
            return;
        }
    }
}

/// The `drops` column (the last) of the socket's row (see proc_net_udp(5)).
fn drops(table: &str, address: SocketAddrV4) -> Option<u64> {
    // The address is the number that the bytes are on this machine, in hexadecimal.
    let ip = u32::from_ne_bytes(address.ip().octets());
    let local = format!("{ip:08X}:{:04X}", address.port());
    let row = table.lines().find(|row| row.split_whitespace().nth(1) == Some(&local))?;
    row.split_whitespace().last()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_of_the_socket_is_found_by_its_address() {
        let local = if cfg!(target_endian = "little") { "0100007F:0202" } else { "7F000001:0202" };
        let table = format!(
            "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
             1: 00000000:0202 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 1 2 0 5\n\
             2: {local} 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 1 2 0 42\n"
        );
        assert_eq!(drops(&table, "127.0.0.1:514".parse().unwrap()), Some(42));
        assert_eq!(drops(&table, "127.0.0.1:515".parse().unwrap()), None);
    }

    #[test]
    fn the_kernel_s_own_table_can_be_read() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let std::net::SocketAddr::V4(address) = socket.local_addr().unwrap() else { panic!("IPv4") };
        assert_eq!(drops(&fs::read_to_string(TABLE).unwrap(), address), Some(0));
    }
}
