//! The UDP socket that all rack services share.
//!
//! It says for each datagram which of our addresses was asked and on which interface, and it sends
//! answers from there (`IP_PKTINFO`, ip(7)): a service node has an address on every network that it
//! serves, and a client drops an answer that comes from another one.
//!
//! It does not batch (`recvmmsg`, UDP segmentation) yet, and it knows only IPv4.
//!
//! **Invariant**: what one client does, such as closing its port before the answer, never ends a
//! service's loop: ICMP errors are not errors of [`UdpSocket::recv`].

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::AsRawFd as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, sendmsg, sockopt,
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;

/// How a socket is bound.
#[derive(Clone, Debug)]
pub struct Bind {
    /// Address and port; port 0 takes any free one.
    pub address: SocketAddrV4,
    /// Only packets of this interface, and answers only through it. Needs `CAP_NET_RAW`.
    pub device: Option<String>,
    /// Whether it may send to broadcast addresses.
    pub broadcast: bool,
    /// Whether others may bind the same address. Off unless there is a reason: the kernel then
    /// gives each datagram to the last one bound, and a second daemon robs the first in silence.
    pub reuse: bool,
    /// The wanted receive buffer, in bytes; 0 leaves the system's. A power-on of a row must fit,
    /// and what does not fit is lost without a trace.
    pub receive_buffer: usize,
}

impl Bind {
    /// A plain socket on `address`, with room for some thousand waiting datagrams.
    pub const fn new(address: SocketAddrV4) -> Self {
        Self { address, device: None, broadcast: false, reuse: false, receive_buffer: 4 << 20 }
    }
}

/// What is known about a datagram besides its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// How many bytes of the buffer are filled. A datagram longer than the buffer was cut.
    pub len: usize,
    /// Who sent it.
    pub from: SocketAddrV4,
    /// Its destination address: ours, a broadcast or a multicast address.
    pub to: Ipv4Addr,
    /// Our address on the interface that it came in on; for one sent to us, that address.
    pub local: Ipv4Addr,
    /// The index of the interface that it came in on.
    pub interface: u32,
    /// When the kernel received it, by the host's clock; only after [`UdpSocket::stamp_arrivals`].
    pub arrived: Option<SystemTime>,
}

/// A UDP socket that knows which of our addresses was asked.
#[derive(Debug)]
pub struct UdpSocket {
    inner: tokio::net::UdpSocket,
}

impl UdpSocket {
    /// Binds a socket. Call it inside a runtime.
    ///
    /// # Errors
    /// When the address is taken or not ours, or a privileged port or device is refused.
    pub fn bind(bind: &Bind) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM.nonblocking().cloexec(), Some(Protocol::UDP))?;
        socket.set_reuse_address(bind.reuse)?;
        socket.set_broadcast(bind.broadcast)?;
        if let Some(device) = &bind.device {
            socket.bind_device(Some(device.as_bytes()))?;
        }
        nix::sys::socket::setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        grow_receive_buffer(&socket, bind.receive_buffer)?;
        socket.bind(&SocketAddr::V4(bind.address).into())?;
        Ok(Self { inner: tokio::net::UdpSocket::from_std(socket.into())? })
    }

    /// Where it is bound, with the port that was chosen for port 0.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddrV4> {
        match self.inner.local_addr()? {
            SocketAddr::V4(address) => Ok(address),
            SocketAddr::V6(address) => Err(io::Error::other(format!("bound to {address}, not to IPv4"))),
        }
    }

    /// Lets the kernel say when each datagram arrived (`SO_TIMESTAMPNS`), for who must not count the
    /// time that it waited.
    ///
    /// # Errors
    /// When the system does not know how.
    pub fn stamp_arrivals(&self) -> io::Result<()> {
        Ok(nix::sys::socket::setsockopt(&self.inner, sockopt::ReceiveTimestampns, &true)?)
    }

    /// Waits for a datagram and puts it into `buffer`. Safe to cancel: nothing is lost.
    ///
    /// # Errors
    /// When the socket is broken. What a client can cause is not an error.
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<Received> {
        loop {
            match self.inner.async_io(Interest::READABLE, || self.receive(buffer)).await {
                Ok(Some(received)) => return Ok(received),
                Ok(None) => {}
                Err(error) if is_from_a_peer(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes a datagram that is already there; none when there is none.
    ///
    /// # Errors
    /// As [`UdpSocket::recv`].
    pub fn try_recv(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        loop {
            match self.inner.try_io(Interest::READABLE, || self.receive(buffer)) {
                Ok(Some(received)) => return Ok(Some(received)),
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if is_from_a_peer(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends a datagram, from `source` and through `interface` where they are given.
    ///
    /// # Errors
    /// When there is no way to `to`, or `source` is no longer ours: about this datagram alone, so
    /// a service logs it and goes on.
    pub async fn send(
        &self,
        bytes: &[u8],
        to: SocketAddrV4,
        source: Option<Ipv4Addr>,
        interface: Option<u32>,
    ) -> io::Result<()> {
        let info = packet_info(source, interface);
        self.inner.async_io(Interest::WRITABLE, || self.transmit(bytes, to, info.as_ref())).await
    }

    /// One system call. `None` when the datagram came without what was asked for, which Linux does
    /// not do; it is dropped then.
    fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        let mut control = nix::cmsg_space!(libc::in_pktinfo, libc::timespec);
        let mut parts = [IoSliceMut::new(buffer)];
        let fd = self.inner.as_raw_fd();
        let message = recvmsg::<SockaddrIn>(fd, &mut parts, Some(&mut control), MsgFlags::empty())?;
        let (mut info, mut arrived) = (None, None);
        for part in message.cmsgs()? {
            match part {
                ControlMessageOwned::Ipv4PacketInfo(found) => info = Some(found),
                ControlMessageOwned::ScmTimestampns(stamp) => {
                    arrived = UNIX_EPOCH.checked_add(Duration::from(stamp));
                }
                _ => {}
            }
        }
        let (Some(from), Some(info)) = (message.address, info) else { return Ok(None) };
        Ok(Some(Received {
            len: message.bytes,
            from: from.into(),
            to: address_of(info.ipi_addr),
            local: address_of(info.ipi_spec_dst),
            interface: u32::try_from(info.ipi_ifindex).unwrap_or(0),
            arrived,
        }))
    }

    fn transmit(&self, bytes: &[u8], to: SocketAddrV4, info: Option<&libc::in_pktinfo>) -> io::Result<()> {
        let parts = [IoSlice::new(bytes)];
        let to = SockaddrIn::from(to);
        let control = info.map(|info| [ControlMessage::Ipv4PacketInfo(info)]);
        let control = control.as_ref().map_or(&[][..], |control| &control[..]);
        match sendmsg(self.inner.as_raw_fd(), &parts, control, MsgFlags::empty(), Some(&to)) {
            Ok(_) => Ok(()),
            // An ICMP error that an earlier datagram caused is reported once and sends nothing.
            Err(Errno::ECONNREFUSED) => {
                sendmsg(self.inner.as_raw_fd(), &parts, control, MsgFlags::empty(), Some(&to))?;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The forced size goes past the system's limit and needs `CAP_NET_ADMIN`; without it the kernel
/// grants what it may.
fn grow_receive_buffer(socket: &Socket, size: usize) -> io::Result<()> {
    if size == 0 || nix::sys::socket::setsockopt(socket, sockopt::RcvBufForce, &size).is_ok() {
        return Ok(());
    }
    socket.set_recv_buffer_size(size)
}

fn packet_info(source: Option<Ipv4Addr>, interface: Option<u32>) -> Option<libc::in_pktinfo> {
    if source.is_none() && interface.is_none() {
        return None;
    }
    let source = source.unwrap_or(Ipv4Addr::UNSPECIFIED);
    Some(libc::in_pktinfo {
        ipi_ifindex: interface.and_then(|index| i32::try_from(index).ok()).unwrap_or(0),
        ipi_spec_dst: libc::in_addr { s_addr: u32::from(source).to_be() },
        ipi_addr: libc::in_addr { s_addr: 0 },
    })
}

fn address_of(address: libc::in_addr) -> Ipv4Addr {
    Ipv4Addr::from(u32::from_be(address.s_addr))
}

/// ICMP errors that an earlier datagram of ours caused, and signals.
fn is_from_a_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(address: [u8; 4]) -> UdpSocket {
        UdpSocket::bind(&Bind::new(SocketAddrV4::new(address.into(), 0))).unwrap()
    }

    #[tokio::test]
    async fn an_answer_leaves_from_the_address_that_was_asked() {
        let server = socket([0, 0, 0, 0]);
        let client = socket([127, 0, 0, 1]);
        let asked = Ipv4Addr::new(127, 0, 7, 9);
        let port = server.local_addr().unwrap().port();
        client.send(b"who", SocketAddrV4::new(asked, port), None, None).await.unwrap();

        let mut buffer = [0; 64];
        let question = server.recv(&mut buffer).await.unwrap();
        assert_eq!((question.len, question.to, question.local), (3, asked, asked));
        assert_eq!(question.from, client.local_addr().unwrap());
        server.send(b"me", question.from, Some(question.to), Some(question.interface)).await.unwrap();

        let answer = client.recv(&mut buffer).await.unwrap();
        assert_eq!((&buffer[..answer.len], answer.from), (&b"me"[..], SocketAddrV4::new(asked, port)));
    }

    #[tokio::test]
    async fn the_kernel_says_when_a_datagram_arrived() {
        let (server, client) = (socket([127, 0, 0, 1]), socket([127, 0, 0, 1]));
        let to = server.local_addr().unwrap();
        let mut buffer = [0; 8];
        client.send(b"a", to, None, None).await.unwrap();
        assert_eq!(server.recv(&mut buffer).await.unwrap().arrived, None);
        server.stamp_arrivals().unwrap();
        let before = runtime::clock::unix_time();
        client.send(b"b", to, None, None).await.unwrap();
        let arrived = server.recv(&mut buffer).await.unwrap().arrived.unwrap();
        assert!(before <= arrived && arrived <= runtime::clock::unix_time());
    }

    #[tokio::test]
    async fn a_client_that_has_gone_does_not_end_the_loop() {
        let server = socket([127, 0, 0, 1]);
        let gone = socket([127, 0, 0, 1]).local_addr().unwrap();
        for _ in 0..3 {
            server.send(b"late", gone, None, None).await.unwrap();
        }
        let client = socket([127, 0, 0, 1]);
        client.send(b"next", server.local_addr().unwrap(), None, None).await.unwrap();
        let mut buffer = [0; 64];
        assert_eq!(server.recv(&mut buffer).await.unwrap().from, client.local_addr().unwrap());
        assert_eq!(server.try_recv(&mut buffer).unwrap(), None);
    }

    #[tokio::test]
    async fn a_second_daemon_on_the_same_port_is_refused() {
        let first = socket([127, 0, 0, 1]);
        let second = UdpSocket::bind(&Bind::new(first.local_addr().unwrap()));
        assert_eq!(second.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
