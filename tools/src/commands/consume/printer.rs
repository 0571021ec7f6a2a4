//! The thread that writes records to standard output while others are being read. Decides when what was written so far is
//! shown: before it waits; never which records there are.

use std::thread::{self, JoinHandle};

use sawlog_client::Message;
use tokio::sync::mpsc::{self, error::TryRecvError};

use super::line::Line;
use crate::exit::Failure;
use crate::show::Show;

/// Pieces that wait to be written: one, while another is.
const AHEAD: usize = 1;

/// Where records are printed.
pub(super) struct Printer {
    pieces: mpsc::Sender<Vec<Message>>,
    thread: JoinHandle<Result<(), Failure>>,
}

impl Printer {
    /// Begins with what stands above the records, if anything does.
    pub(super) fn begin(line: Line) -> Result<Printer, Failure> {
        let (to, pieces) = mpsc::channel(AHEAD);
        let begun = thread::Builder::new()
            .name("print".to_owned())
            .spawn(move || print(&line, pieces));
        let thread = begun.map_err(|error| {
            Failure::Other(anyhow::Error::new(error).context("start a thread that prints"))
        })?;
        Ok(Printer { pieces: to, thread })
    }

    /// Hands records on, once there is room. False: nobody reads them any more, or they cannot be written.
    pub(super) async fn put(&self, messages: Vec<Message>) -> bool {
        self.pieces.send(messages).await.is_ok()
    }

    /// Until nobody reads any more.
    pub(super) async fn unread(&self) {
        self.pieces.closed().await;
    }

    /// Until everything is written, or what prevented it.
    pub(super) fn end(self) -> Result<(), Failure> {
        drop(self.pieces);
        match self.thread.join() {
            Ok(ended) => ended,
            Err(panicked) => std::panic::resume_unwind(panicked),
        }
    }
}

fn print(line: &Line, mut pieces: mpsc::Receiver<Vec<Message>>) -> Result<(), Failure> {
    let mut show = Show::out();
    line.heading(&mut show)?;
    loop {
        let messages = match pieces.try_recv() {
            Ok(messages) => messages,
            Err(TryRecvError::Disconnected) => return show.end(),
            Err(TryRecvError::Empty) => {
                // A reader at a terminal sees what is there before we wait.
                show.flush()?;
                match pieces.blocking_recv() {
                    Some(messages) => messages,
                    None => return show.end(),
                }
            }
        };
        for message in &messages {
            line.write(message, &mut show)?;
        }
    }
}
