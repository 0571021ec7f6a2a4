//! Whether anybody still reads standard output, while there is nothing to write: a pipe whose reader has gone, a terminal
//! that was closed. Decides only that; how a command ends then, each command knows.

use std::io;
use std::os::fd::AsFd as _;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Waits until nobody reads any more. A file is always read.
pub(crate) async fn unread() {
    // What cannot be watched, as a file, is not left by anybody either.
    if let Ok(out) = watched() {
        loop {
            let Ok(mut told) = out.ready(Interest::WRITABLE | Interest::ERROR).await else {
                break;
            };
            let ready = told.ready();
            // Not the end of reading: a peer that says no more itself may listen all the same.
            if ready.is_write_closed() || ready.is_error() {
                return;
            }
            told.clear_ready();
        }
    }
    std::future::pending().await
}

#[expect(
    deprecated,
    reason = "it trusts that the descriptor stays open, which nobody can close; its successor is unsafe for that"
)]
fn watched() -> io::Result<AsyncFd<io::Stdout>> {
    AsyncFd::with_interest(io::stdout(), Interest::WRITABLE | Interest::ERROR)
}

/// EIO: what a terminal that was closed answers, and a disk that failed.
const EIO: i32 = 5;

/// Whether a failure to write to standard output means that nobody reads it any more.
pub(crate) fn means_unread(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
        || error.raw_os_error() == Some(EIO) && is_terminal_or_closed()
}

/// A terminal that was closed does not say any more that it is one, but a device of letters it stays.
fn is_terminal_or_closed() -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    let out = io::stdout().as_fd().try_clone_to_owned();
    out.and_then(|out| std::fs::File::from(out).metadata())
        .is_ok_and(|found| found.file_type().is_char_device())
}
