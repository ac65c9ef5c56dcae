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
    pub(crate) async fn stream(&self, make: impl FnOnce(&mut dyn FnMut(Line)) -> u8 + Send + 'static) -> u8 {
        let mut writing = self.line.lock().await;
        let fresh = Renderer::new(writing.view, None);
        let mut renderer = std::mem::replace(&mut writing.renderer, fresh);
        let (pieces, mut came) = mpsc::channel(PIECES);
        let answering = tokio::task::spawn_blocking(move || {
            let status = make(&mut |line| {
                let replies = renderer.line(&line);
                if !replies.is_empty() {
                    // Nobody listening shows at the other end; the rest of the answer is for nobody.
                    let _ = pieces.blocking_send(replies);
                }
            });
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

    /// The end of the answer.
    pub(crate) async fn done(&self, status: u8) -> Result<(), Gone> {
        let mut writing = self.line.lock().await;
        let fresh = Renderer::new(writing.view, None);
        let replies = std::mem::replace(&mut writing.renderer, fresh).finish(status);
        writing.send(replies).await?;
        writing.way.end().await.map_err(|_| Gone)
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
