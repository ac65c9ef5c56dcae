//! Runs NTP: one socket, one loop.
//!
//! `sn_proto::ntp` decides and says what a reply claims; here are the clock and the socket. The
//! host's clock itself is kept by somebody else.
//!
//! Port 123 is bound only while the slice says that NTP is served here: where it is off, chrony may
//! serve by itself.

use std::net::SocketAddrV4;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::id::Moment;
use runtime::backoff::Backoff;
use runtime::clock;
use runtime::supervise::BoxError;
use sn_proto::ntp::{Clock, KernelClock, Leap, Timestamp, View, answer};
use tracing::{debug, error, info};

use crate::service::Host;
use crate::udp::{Bind, Received, UdpSocket};

/// Longer requests are cut: behind the first 48 bytes is nothing that is read.
const BUFFER: usize = 256;

/// How long the kernel's word about its clock is taken as new. The kernel itself lets the error
/// grow once a second.
const WORD_LASTS: Duration = Duration::from_secs(1);

/// Serves NTP until the daemon stops.
///
/// # Errors
/// When the socket breaks while it is served from. A port that cannot be bound is tried again.
pub async fn run(mut host: Host<View>) -> Result<(), BoxError> {
    // The seed only spreads the retries of several daemons.
    let mut backoff =
        Backoff::new(Duration::from_secs(1), Duration::from_secs(30), std::process::id().into());
    while host.until(View::is_on).await {
        let address = SocketAddrV4::new(host.config.bind, host.config.ports.ntp);
        match UdpSocket::bind(&Bind::new(address)) {
            Ok(socket) => {
                backoff.reset();
                if let Err(error) = socket.stamp_arrivals() {
                    debug!(%error, "the kernel does not stamp arrivals; requests are stamped when read");
                }
                info!(address = %socket.local_addr()?, "ntp began");
                let mut loop_host = host.clone();
                tokio::select! {
                    result = serve(&mut loop_host, &socket) => result?,
                    _ = host.until(|view| !view.is_on()) => {}
                }
                info!("ntp ended");
            }
            Err(error) => {
                error!(%address, %error, "could not bind for ntp; trying again");
                let _ = tokio::time::timeout(backoff.next(), host.stop.cancelled()).await;
            }
        }
    }
    Ok(())
}

/// Answers until the socket breaks.
async fn serve(host: &mut Host<View>, socket: &UdpSocket) -> Result<(), BoxError> {
    let mut view = host.view();
    let mut word = Word::read();
    let mut buffer = [0; BUFFER];
    loop {
        let received = socket.recv(&mut buffer).await?;
        let arrived = timestamp(received.arrived.unwrap_or_else(clock::unix_time));
        if host.view.has_changed().unwrap_or(false) {
            view = host.view.borrow_and_update().clone();
        }
        let packet = buffer.get(..received.len).unwrap_or_default();
        if let Some(answer) = answer(&view, packet, *received.from.ip(), word.clock(), arrived) {
            send(socket, &answer.sent_at(timestamp(clock::unix_time())), received).await;
        }
    }
}

/// Sends from the address that was asked, because a client compares; the way is the routing table's.
async fn send(socket: &UdpSocket, reply: &[u8], to: Received) {
    // Port 0 cannot be answered.
    if to.from.port() == 0 {
        return;
    }
    if let Err(error) = socket.send(reply, to.from, Some(to.local), None).await {
        debug!(peer = %to.from, %error, "could not send an answer");
    }
}

fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix(since.as_secs(), since.subsec_nanos())
}

/// What the kernel last said about its clock.
struct Word {
    clock: Clock,
    read_at: Moment,
}

impl Word {
    fn read() -> Self {
        Self { clock: kernel_clock(), read_at: clock::now() }
    }

    fn clock(&mut self) -> &Clock {
        if clock::now().since(self.read_at) >= WORD_LASTS {
            *self = Self::read();
        }
        &self.clock
    }
}

/// A kernel that does not say (some sandboxes forbid the question) counts as one whose clock nobody
/// keeps.
fn kernel_clock() -> Clock {
    let nobody = KernelClock { synchronised: false, leap: Leap::None, max_error_us: 0 };
    Clock::from_kernel(sys::clock_state().map_or(nobody, |state| KernelClock {
        synchronised: state.synchronised,
        leap: match state.leap {
            sys::Leap::None => Leap::None,
            sys::Leap::Insert => Leap::Insert,
            sys::Leap::Delete => Leap::Delete,
        },
        max_error_us: u64::try_from(state.max_error_us).unwrap_or(u64::MAX),
    }))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::path::PathBuf;
    use std::sync::Arc;

    use common::slice::{Entry, Services, Slice};
    use tokio::sync::watch;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::config::Config;

    fn view(ntp: bool) -> Arc<View> {
        let mut slice = Slice::new();
        let services = Services {
            sn: "sn1".parse().unwrap(),
            dhcp: false,
            tftp: false,
            http: false,
            dns: false,
            ntp,
            syslog: false,
            nfs: false,
            dhcp_interfaces: Vec::new(),
        };
        slice.put(Entry::Services(services)).unwrap();
        Arc::new(View::build(&slice).unwrap())
    }

    #[tokio::test]
    async fn the_time_in_a_reply_is_the_hosts() {
        let (_views, view) = watch::channel(view(true));
        let config = Arc::new(Config::new(PathBuf::new()));
        let mut host = Host { config, view, stop: CancellationToken::new() };
        let socket = UdpSocket::bind(&Bind::new(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))).unwrap();
        let client = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        client.connect(socket.local_addr().unwrap()).await.unwrap();

        let mut request = [0; 48];
        request[0] = 0x23;
        socket.stamp_arrivals().unwrap();
        let before = timestamp(clock::unix_time());
        let mut reply = [0; 64];
        let len = tokio::select! {
            result = serve(&mut host, &socket) => panic!("{result:?}"),
            len = async {
                // A stranger to the protocol first: it is ignored and ends nothing.
                client.send(b"what time is it?").await.unwrap();
                client.send(&request).await.unwrap();
                client.recv(&mut reply).await.unwrap()
            } => len,
        };
        let after = timestamp(clock::unix_time());
        assert_eq!((len, reply[0] & 7), (48, 4));
        let times = [&before.bytes()[..], &reply[32..40], &reply[40..48], &after.bytes()];
        assert!(times.is_sorted(), "{times:?}");
    }

    #[tokio::test]
    async fn a_service_that_is_off_binds_nothing_and_stops() {
        let (_views, view) = watch::channel(view(false));
        let mut config = Config::new(PathBuf::new());
        (config.bind, config.ports.ntp) = (Ipv4Addr::new(203, 0, 113, 1), 0);
        let stop = CancellationToken::new();
        stop.cancel();
        run(Host { config: Arc::new(config), view, stop }).await.unwrap();
    }
}
