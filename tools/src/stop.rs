//! Ctrl-C: the first asks a command to end in order, the second leaves at once, whatever the command waits for. Decides only
//! that; what "in order" means, each command knows.

use std::sync::mpsc;
use std::thread;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::exit::{Exit, Failure};

/// Whether somebody pressed Ctrl-C since this was made.
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// From now on Ctrl-C does not end the process by itself.
    pub(crate) fn listen() -> Result<Stop, Failure> {
        let (tell, told) = watch::channel(false);
        let (ready, listens) = mpsc::channel();
        // A thread of its own: a command may be stuck in writing to who does not read.
        let begun = thread::Builder::new()
            .name("ctrl-c".to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_io()
                    .build();
                let heard = runtime.and_then(|runtime| {
                    runtime.block_on(async {
                        let mut pressed = signal(SignalKind::interrupt())?;
                        let _ = ready.send(Ok(()));
                        pressed.recv().await;
                        tell.send_replace(true);
                        pressed.recv().await;
                        std::process::exit(Exit::Interrupted as i32)
                    })
                });
                let _ = ready.send(heard);
            });
        let listens = begun.and_then(|_| listens.recv().unwrap_or(Ok(())));
        match listens {
            Ok(()) => Ok(Stop(told)),
            Err(error) => {
                let error = anyhow::Error::new(error).context("listen to signals");
                Err(Failure::Other(error))
            }
        }
    }

    /// Whether it was pressed by now.
    pub(crate) fn was_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for it.
    pub(crate) async fn asked(&mut self) {
        // The thread that tells never ends by itself.
        let _ = self.0.wait_for(|asked| *asked).await;
    }
}
