//! The writer: lines into the nodes' files and into the spool, a batch at a time.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use common::id::NodeName;
use common::report::chain;
use sn_proto::syslog::{View, file_line};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::error;

use super::files::NodeFiles;
use super::{Arrived, HANDFUL, Spool};
use crate::service::Host;

/// How long the writer waits for company of a line. It bounds the syncs of the spool at 20 a
/// second, and a line is in its file well within 200 ms.
const COLLECT: Duration = Duration::from_millis(50);
/// The most handfuls of a batch.
const BATCH: usize = 4096 / HANDFUL;

/// Writes what arrives.
#[derive(Debug)]
pub(super) struct Writer {
    disk: Disk,
    host: Host<View>,
}

/// What is used where blocking is allowed; handed there and back.
#[derive(Debug)]
struct Disk {
    files: NodeFiles,
    spool: Arc<Spool>,
    /// Lines that a disk refused since the start.
    refused: u64,
}

impl Writer {
    pub(super) fn new(folder: PathBuf, spool: Arc<Spool>, host: Host<View>) -> Self {
        Self { disk: Disk { files: NodeFiles::new(folder), spool, refused: 0 }, host }
    }

    /// Writes until all readers are gone and everything that came is written.
    pub(super) async fn run(self, mut arrived: mpsc::Receiver<Vec<Arrived>>) {
        let Self { mut disk, host } = self;
        let mut batch = Vec::new();
        while arrived.recv_many(&mut batch, BATCH).await > 0 {
            let deadline = Instant::now() + COLLECT;
            while batch.len() < BATCH {
                let more = arrived.recv_many(&mut batch, BATCH);
                if !matches!(tokio::time::timeout_at(deadline, more).await, Ok(1..)) {
                    break;
                }
            }
            let forwards = host.view().forwards();
            let lines: Vec<Arrived> = batch.drain(..).flatten().collect();
            let written = tokio::task::spawn_blocking(move || {
                disk.write(&lines, forwards);
                disk
            });
            disk = match written.await {
                Ok(disk) => disk,
                Err(error) => {
                    error!(%error, "the syslog writer panicked and ends (this is a bug)");
                    return;
                }
            };
        }
    }
}

impl Disk {
    fn write(&mut self, lines: &[Arrived], forwards: bool) {
        if forwards {
            self.spool(lines);
        }
        let mut texts: HashMap<&NodeName, (u64, Vec<u8>)> = HashMap::new();
        let mut time = Stamps::default();
        for Arrived { node, sender, received, line } in lines {
            let (count, text) = texts.entry(node).or_default();
            file_line(text, time.text(*received), *sender, line);
            *count += 1;
        }
        for (node, (count, text)) in texts {
            if let Err(error) = self.files.append(node, &text) {
                self.refused += count;
                let (lines, total) = (count, self.refused);
                error!(%node, %error, lines, total, "lines were not written to a node's file; see to the disk");
            }
        }
    }

    fn spool(&mut self, lines: &[Arrived]) {
        let mut kept = 0_u64;
        let mut outcome = lines.iter().try_for_each(|arrived| {
            self.spool.append(&arrived.node, &arrived.line)?;
            kept += 1;
            Ok(())
        });
        // What was appended before an error is sent all the same.
        outcome = self.spool.sync().and(outcome);
        if let Err(error) = outcome {
            let lost = lines.len() as u64 - kept;
            self.refused += lost;
            let (error, total) = (chain(&error), self.refused);
            error!(error, lost, total, "lines were not kept for the management node; see to the disk");
        }
    }
}

/// Times as text, made once for a row of lines that came together.
#[derive(Debug, Default)]
struct Stamps {
    last: Option<SystemTime>,
    text: String,
}

impl Stamps {
    /// As RFC 3339 has it, in UTC, with milliseconds.
    fn text(&mut self, time: SystemTime) -> &str {
        if self.last != Some(time) {
            self.last = Some(time);
            // A clock outside the years that can be written is written as it is.
            self.text = match jiff::Timestamp::try_from(time) {
                Ok(time) => format!("{time:.3}"),
                Err(_) => format!("{time:?}"),
            };
        }
        &self.text
    }
}
