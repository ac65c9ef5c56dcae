//! A line to whoever asked that may be nobody: a move goes on when its terminal is gone, and after
//! a restart it has none.

use mn_core::talk::Line;
use serde_json::Value;

use crate::ground::Ground;

/// Whom a step tells what it does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speaker<'a>(Option<&'a Ground>);

impl<'a> Speaker<'a> {
    /// Tells whoever asked, as long as they listen.
    pub(super) const fn to(ground: &'a Ground) -> Self {
        Self(Some(ground))
    }

    /// Tells nobody.
    pub(super) const fn silent() -> Self {
        Self(None)
    }

    /// Whether records are wanted instead of text.
    pub(super) fn is_json(&self) -> bool {
        self.0.is_some_and(|ground| ground.context.view.json)
    }

    pub(super) async fn out(&self, text: String) {
        self.line(Line::Out(text)).await;
    }

    pub(super) async fn record(&self, value: Value) {
        self.line(Line::Record(value)).await;
    }

    pub(super) async fn err(&self, text: String) {
        if let Some(ground) = self.0 {
            // Whoever has gone does not hear it; what was done is in the history.
            let _ = ground.replies.err(text).await;
        }
    }

    pub(super) async fn progress(&self, label: &str, done: u64, total: u64) {
        if let Some(ground) = self.0 {
            let _ = ground.progress(label, done, total).await;
        }
    }

    async fn line(&self, line: Line) {
        if let Some(ground) = self.0 {
            let _ = ground.say(line).await;
        }
    }
}
