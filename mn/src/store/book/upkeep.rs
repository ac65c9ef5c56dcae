//! What the writer does for the store beside committing: it carries committed rows to their places,
//! forgets the start of the journal, and takes out what is forgotten when nobody asks for anything
//! else.

use std::time::Duration;

use common::id::Revision;
use tokio::sync::oneshot;

use super::super::StoreError;
use super::{Book, BookError, LOOK, Request, Writer};

/// How long the writer waits for a request before it takes out some more of what is forgotten, or makes
/// the cache shrink some more.
const SWEEP: Duration = Duration::from_millis(5);

/// A request to forget the start of the journal.
pub(super) struct Forget {
    last: Revision,
    done: oneshot::Sender<Result<u64, BookError>>,
}

impl Book {
    /// Forgets the journal up to `last`; gives how many records that are, once it is on the disk that
    /// they are forgotten. They are taken out beside other work.
    ///
    /// # Errors
    /// When the daemon stops, or the disk is full.
    pub async fn forget(&self, last: Revision) -> Result<u64, BookError> {
        let (done, answered) = oneshot::channel();
        self.requests.send(Request::Forget(Forget { last, done })).await.map_err(|_| BookError::Stopped)?;
        answered.await.map_err(|_| BookError::Stopped)?
    }
}

impl Writer {
    /// How long to wait for a request: for good where nothing is left to do.
    pub(super) fn patience(&self) -> Duration {
        if self.full && (self.store.is_unsettled() || !self.unissued.done.is_empty()) {
            LOOK
        } else if self.store.is_unsettled() {
            Duration::ZERO
        } else if self.store.is_unswept() || self.swollen.is_some() {
            SWEEP
        } else {
            Duration::MAX
        }
    }

    /// Carries some of the committed rows to their places; where there is no room, later.
    pub(super) fn carry(&mut self) -> Result<(), StoreError> {
        if self.store.is_unsettled() {
            match self.store.carry() {
                Ok(()) => self.note_room(),
                Err(StoreError::NoRoom(error)) => self.note_full(&error),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Once all rows are in their places, gives the memory back that reading or carrying them took, a
    /// step at a time.
    pub(super) fn cool(&mut self) -> Result<(), StoreError> {
        if let Some(cooling) = &mut self.swollen
            && !self.store.is_unsettled()
            && self.store.cool(cooling)?
        {
            self.swollen = None;
            sys::give_back_memory();
        }
        Ok(())
    }

    /// Carries all of them, as the daemon ends: the next start then need not. Where there is no room,
    /// it does.
    pub(super) fn settle(&mut self) -> Result<(), StoreError> {
        match self.store.settle() {
            Err(StoreError::NoRoom(_)) => Ok(()),
            done => done,
        }
    }

    /// Forgets the start of the journal.
    pub(super) fn forget(&mut self, Forget { last, done }: Forget) -> Result<(), StoreError> {
        let answer = match self.store.forget(last) {
            Ok(count) => Ok(count),
            Err(StoreError::NoRoom(error)) => {
                self.note_full(&error);
                Err(BookError::NoRoom)
            }
            Err(error) => return Err(error),
        };
        // Whoever asked may have stopped waiting.
        let _ = done.send(answer);
        Ok(())
    }

    /// Takes out some of what is forgotten; where there is no room even for that, later.
    pub(super) fn sweep(&mut self) -> Result<(), StoreError> {
        if !self.store.is_unswept() {
            return Ok(());
        }
        match self.store.sweep() {
            Err(StoreError::NoRoom(error)) => {
                self.note_full(&error);
                Ok(())
            }
            done => done,
        }
    }
}
