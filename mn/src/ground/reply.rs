//! The line to whoever asked: bounded, so that a slow terminal slows its command and nobody else.

use std::sync::Arc;
use std::time::Duration;

use common::wire::operator::{Reply, View};
use mn_core::talk::Line;
use runtime::link::LinkError;
use runtime::link::stream::{FrameSender, FrameWriter};
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::{Mutex, mpsc};

use crate::render::Renderer;

/// Nobody listens any more. A command goes on or stops, as is right for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("whoever asked has gone")]
pub struct Gone;

/// What an answer goes by.
#[derive(Debug)]
pub(crate) enum Way {
    /// The unix socket.
    Local(FrameWriter<OwnedWriteHalf>),
    /// A stream of an operator's link.
    Remote(FrameSender),
}

/// How many pieces of an answer may wait for who listens; each is 64 KiB, or one long line.
const PIECES: usize = 4;

/// How often it is said that something is under way.
const SECOND: Duration = Duration::from_secs(1);

/// How long a far end may take to have the last of an answer.
const DELIVERY_LIMIT: Duration = Duration::from_secs(10);

impl Way {
    async fn send(&mut self, reply: &Reply) -> Result<(), LinkError> {
        match self {
            Self::Local(writer) => writer.send(reply).await,
            Self::Remote(writer) => writer.send(reply).await,
        }
    }

    async fn end(&mut self) -> Result<(), LinkError> {
        match self {
            Self::Local(writer) => writer.shutdown().await,
            Self::Remote(writer) => {
                writer.finish();
                let delivered = tokio::time::timeout(DELIVERY_LIMIT, writer.delivered()).await;
                delivered.map_err(|_| LinkError::Silence)
            }
        }
    }
}

/// Where a command's answer goes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Replies {
    line: Arc<Mutex<Writing>>,
}

#[derive(Debug)]
struct Writing {
    way: Way,
    renderer: Renderer,
    view: View,
}

impl Replies {
    /// With a server, each line of text says that it is from there.
    pub(crate) fn new(way: Way, view: View, server: Option<String>) -> Self {
        let writing = Writing { way, renderer: Renderer::new(view, server), view };
        Self { line: Arc::new(Mutex::new(writing)) }
    }

    /// A line of an answer, which may be gathered with others. Returns when there is room for more.
    ///
    /// # Errors
    /// When nobody listens any more.
    pub async fn line(&self, line: Line) -> Result<(), Gone> {
        let mut writing = self.line.lock().await;
        let replies = writing.renderer.line(&line);
        writing.send(replies).await
    }

    /// Lines of an answer.
    ///
    /// # Errors
    /// When nobody listens any more.
    pub async fn lines(&self, lines: Vec<Line>) -> Result<(), Gone> {
        let mut writing = self.line.lock().await;
        for line in lines {
            let replies = writing.renderer.line(&line);
            writing.send(replies).await?;
        }
        Ok(())
    }

    /// What `make` says, on a thread that may compute for long: the lines are gathered there, and the
    /// pace is that of who listens. Gives what `make` gives, the exit status.
    ///
    /// Until it ends, nobody else says anything: how far it has come, `make` says by its [`Progress`].
    pub(crate) async fn stream(
        &self,
        make: impl FnOnce(&mut dyn FnMut(Line), Progress) -> u8 + Send + 'static,
    ) -> u8 {
        let mut writing = self.line.lock().await;
        let fresh = Renderer::new(writing.view, None);
        let mut renderer = std::mem::replace(&mut writing.renderer, fresh);
        let (pieces, mut came) = mpsc::channel(PIECES);
        let answering = tokio::task::spawn_blocking(move || {
            let progress = Progress(pieces.clone());
            let mut say = |line| {
                let replies = renderer.line(&line);
                if !replies.is_empty() {
                    // Nobody listening shows at the other end; the rest of the answer is for nobody.
                    let _ = pieces.blocking_send(replies);
                }
            };
            let status = make(&mut say, progress);
            (status, renderer)
        });
        while let Some(replies) = came.recv().await {
            if writing.send(replies).await.is_err() {
                break;
            }
        }
        drop(came);
        let Ok((status, renderer)) = answering.await else { return 1 };
        writing.renderer = renderer;
        status
    }

    /// A text for standard error.
    ///
    /// # Errors
    /// When nobody listens any more.
    pub async fn err(&self, text: String) -> Result<(), Gone> {
        self.line(Line::Err(text)).await
    }

    /// How far a command has come, and everything before it, sent at once.
    ///
    /// # Errors
    /// When nobody listens any more.
    pub async fn progress(&self, label: &str, done: u64, total: u64) -> Result<(), Gone> {
        let mut writing = self.line.lock().await;
        let mut replies = writing.renderer.flush();
        replies.push(Reply::Progress { label: label.to_owned(), done, total });
        writing.send(replies).await
    }

    /// Waits for what comes; once that takes a while, says every second for how long it has been
    /// under way, so that nobody at a terminal thinks that nothing happens.
    pub(crate) async fn patiently<T>(&self, label: &str, coming: impl Future<Output = T>) -> T {
        let mut coming = std::pin::pin!(coming);
        let mut seconds = 0;
        loop {
            if let Ok(came) = tokio::time::timeout(SECOND, &mut coming).await {
                return came;
            }
            seconds += 1;
            // Who has gone needs no word; what they asked for is done all the same.
            let _ = self.progress(label, seconds, 0).await;
        }
    }

    /// The end of the answer.
    pub(crate) async fn done(&self, status: u8) -> Result<(), Gone> {
        let mut writing = self.line.lock().await;
        let fresh = Renderer::new(writing.view, None);
        let replies = std::mem::replace(&mut writing.renderer, fresh).finish(status);
        writing.send(replies).await?;
        writing.way.end().await.map_err(|_| Gone)
    }
}

/// How far an answer that is streamed has come.
#[derive(Debug)]
pub(crate) struct Progress(mpsc::Sender<Vec<Reply>>);

impl Progress {
    /// Says so; waits for room where who listens is slow.
    pub(crate) fn at(&self, label: &str, done: u64, total: u64) {
        let reply = Reply::Progress { label: label.to_owned(), done, total };
        // Who has gone needs no word.
        let _ = self.0.blocking_send(vec![reply]);
    }

    /// Whether nobody listens any more, as far as was noticed.
    pub(crate) fn is_gone(&self) -> bool {
        self.0.is_closed()
    }
}

impl Writing {
    async fn send(&mut self, replies: Vec<Reply>) -> Result<(), Gone> {
        for reply in replies {
            self.way.send(&reply).await.map_err(|_| Gone)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::link::stream::FrameReader;
    use tokio::net::UnixStream;

    /// An answer has the line to itself while it is made, so that its progress may not wait for it.
    #[tokio::test]
    async fn a_streamed_answer_says_how_far_it_is() {
        let (near, far) = UnixStream::pair().unwrap();
        let way = Way::Local(FrameWriter::new(near.into_split().1));
        let replies = Replies::new(way, View::default(), None);
        let answer = async {
            let status = replies.stream(|out, progress| {
                progress.at("reading", 1, 2);
                out(Line::Out("done".to_owned()));
                3
            });
            let status = status.await;
            replies.done(status).await.unwrap();
        };
        let (mut reader, mut came) = (FrameReader::new(far), Vec::new());
        let listen = async {
            loop {
                came.push(reader.expect::<Reply>().await.unwrap());
                if matches!(came.last(), Some(Reply::Done { .. })) {
                    break;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), async { tokio::join!(answer, listen) }).await.unwrap();
        assert!(matches!(&came[0], Reply::Progress { done: 1, total: 2, .. }), "{came:?}");
        assert!(matches!(&came[1], Reply::Out(text) if text == "done\n"), "{came:?}");
        assert!(matches!(&came[2], Reply::Done { status: 3 }), "{came:?}");
    }

    /// What waits for that word ends only once it was said.
    #[tokio::test]
    async fn what_takes_long_is_said_to_be_under_way() {
        let (near, far) = UnixStream::pair().unwrap();
        let replies = Replies::new(Way::Local(FrameWriter::new(near.into_split().1)), View::default(), None);
        let (said, heard) = tokio::sync::oneshot::channel();
        let listen = async {
            let first = FrameReader::new(far).expect::<Reply>().await.unwrap();
            assert!(
                matches!(&first, Reply::Progress { label, done: 1, total: 0 } if label == "x"),
                "{first:?}"
            );
            said.send(7).unwrap();
        };
        let both = async { tokio::join!(replies.patiently("x", heard), listen) };
        let (came, ()) = tokio::time::timeout(Duration::from_secs(30), both).await.unwrap();
        assert_eq!(came.unwrap(), 7);
    }
}
