//! The signals a daemon listens to. A signal that cannot be listened to is logged, and then simply
//! never arrives: a daemon that cannot be asked to stop can still be killed, and loses nothing.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Returns when the process is asked to end: SIGTERM or SIGINT.
pub async fn stop_signal() {
    let mut terminate = Listening::to(SignalKind::terminate(), "SIGTERM");
    let mut interrupt = Listening::to(SignalKind::interrupt(), "SIGINT");
    let name = tokio::select! {
        () = terminate.next() => "SIGTERM",
        () = interrupt.next() => "SIGINT",
    };
    tracing::info!(signal = name, "was asked to stop");
}

/// The SIGHUPs that the process gets, from when this was made.
#[derive(Debug)]
pub struct Hangups(Listening);

impl Hangups {
    /// Begins to listen.
    pub fn new() -> Self {
        Self(Listening::to(SignalKind::hangup(), "SIGHUP"))
    }

    /// Returns when one has come since the last call. Several that came at once count once.
    pub async fn next(&mut self) {
        self.0.next().await;
    }
}

impl Default for Hangups {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Debug)]
struct Listening(Option<Signal>);

impl Listening {
    fn to(kind: SignalKind, name: &'static str) -> Self {
        let listening = signal(kind);
        if let Err(error) = &listening {
            tracing::warn!(signal = name, %error, "could not listen to a signal");
        }
        Self(listening.ok())
    }

    async fn next(&mut self) {
        if let Some(signal) = &mut self.0
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hangup_is_noticed() {
        let mut hangups = Hangups::new();
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGHUP).unwrap();
        tokio::time::timeout(std::time::Duration::from_secs(10), hangups.next()).await.unwrap();
    }
}
