//! What a hostile machine on the rack's wire does: noise at every port, slow clients, and calls with
//! certificates that it should not have.
//!
//! Everything is made of seeds, so that what broke something breaks it again.

mod noise;
pub mod quic;

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

pub use self::noise::Noise;
use crate::Result;
use crate::net::Host;

/// How long a hostile client waits for anything.
const PATIENCE: Duration = Duration::from_millis(200);

/// Packets from `host` to a UDP port. What comes back is thrown away.
///
/// # Errors
/// When there is no socket to send from.
pub fn udp(host: &Host, to: SocketAddrV4, packets: &[Vec<u8>]) -> Result<()> {
    host.enter(|| {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.set_broadcast(true)?;
        for packet in packets {
            // Too long, refused, no buffers: the next one.
            let _ = socket.send_to(packet, to);
        }
        Ok(())
    })
}

/// Streams of bytes from `host` to a TCP port, each on a connection of its own, cut off at its end.
///
/// # Errors
/// When nobody listens there.
pub fn tcp(host: &Host, to: SocketAddrV4, streams: &[Vec<u8>]) -> Result<()> {
    host.enter(|| {
        for bytes in streams {
            let mut stream = TcpStream::connect(to)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            // A server may hang up in the middle; that is its good right.
            let _ = stream.write_all(bytes);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read(&mut [0; 4096]);
        }
        Ok(())
    })
}

/// Connections that say `beginning` and then nothing, for as long as they are kept.
///
/// # Errors
/// When nobody listens there.
pub fn hold(host: &Host, to: SocketAddrV4, count: usize, beginning: &[u8]) -> Result<Vec<TcpStream>> {
    host.enter(|| {
        let connect = |_| {
            let mut stream = TcpStream::connect_timeout(&SocketAddr::V4(to), Duration::from_secs(3))?;
            let _ = stream.write_all(beginning);
            Ok(stream)
        };
        (0..count).map(connect).collect()
    })
}

/// Streams of bytes to a unix socket.
///
/// # Errors
/// When nobody listens there.
pub fn unix(socket: &Path, streams: &[Vec<u8>]) -> Result<()> {
    for bytes in streams {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read(&mut [0; 4096]);
    }
    Ok(())
}

/// What a process has in memory now, in bytes.
///
/// # Errors
/// When there is no such process.
pub fn resident(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? * 1024)
}
