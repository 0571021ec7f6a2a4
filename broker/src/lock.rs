//! One process for a data directory. Decides whether it may be used: locked by nobody else, and there or to be made.
//! What was made for the lock alone goes when the node does not start; never touches what lies in the directory.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, Mode, OFlags};
use sawlog_core::complaint::Complaint;
use sawlog_core::file::FaultKind;
use sawlog_wire::code::Code;

use crate::disk::files::kind;

/// What keeps other processes out of the directory for as long as it lives.
pub struct Lock {
    _file: OwnedFd,
    path: PathBuf,
    /// The file, and the directory, are there since now.
    made: bool,
    made_dir: bool,
}

impl Lock {
    /// Makes the directory if need be.
    pub fn of(dir: &Path) -> Result<Lock, Complaint> {
        let missing = |at: &&Path| !at.as_os_str().is_empty() && !at.exists();
        let missing: Vec<&Path> = dir.ancestors().take_while(missing).collect();
        let made_dir = !missing.is_empty();
        std::fs::create_dir_all(dir).map_err(|error| unusable(dir, &error))?;
        // The names of what was made last as long as what will lie in it.
        for made in missing {
            let above = made.parent().filter(|above| !above.as_os_str().is_empty());
            if let Ok(above) = std::fs::File::open(above.unwrap_or(Path::new("."))) {
                above.sync_all().map_err(|error| unusable(made, &error))?;
            }
        }
        let path = dir.join(".lock");
        let made = !path.exists();
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC;
        let file = rustix::fs::openat(CWD, &path, flags, Mode::from_raw_mode(0o644));
        let file = file.map_err(|error| unusable(dir, &error.into()))?;
        let taken = match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            // Of a file that was removed meanwhile the lock keeps nobody out.
            Ok(()) => !is_at(&file, &path),
            Err(rustix::io::Errno::WOULDBLOCK) => true,
            Err(error) => return Err(unusable(dir, &error.into())),
        };
        if taken {
            return Err(Complaint {
                what: format!("cannot use the data directory {}", dir.display()),
                why: "another process has locked it".to_owned(),
                attempt: "Stop the other broker, or give this one a directory of its own with -X \
                          log.dirs=DIR"
                    .to_owned(),
                code: Some(Code::KafkaStorageError),
            });
        }
        Ok(Lock {
            _file: file,
            path,
            made,
            made_dir,
        })
    }

    /// The node did not start: what was made for the lock alone goes. A directory with anything in it stays.
    pub fn undo(&self, dir: &Path) {
        if self.made {
            let _ = std::fs::remove_file(&self.path);
        }
        if self.made_dir {
            let _ = std::fs::remove_dir(dir);
        }
    }
}

fn is_at(file: &OwnedFd, path: &Path) -> bool {
    match (rustix::fs::fstat(file), rustix::fs::stat(path)) {
        (Ok(held), Ok(named)) => (held.st_dev, held.st_ino) == (named.st_dev, named.st_ino),
        _ => false,
    }
}

/// Why a directory cannot be used, and what to try.
pub fn unusable(dir: &Path, error: &io::Error) -> Complaint {
    let attempt = match kind(error) {
        FaultKind::Full => {
            "Make room on the file system, or name another directory with -X log.dirs=DIR"
        }
        FaultKind::ReadOnly => {
            "Mount the file system writable, or name another directory with -X log.dirs=DIR"
        }
        FaultKind::Denied => "Give this user the directory, or name another with -X log.dirs=DIR",
        FaultKind::Absent | FaultKind::Broken => {
            "Look at the file system, or name another directory with -X log.dirs=DIR"
        }
    };
    Complaint {
        what: format!("cannot use the data directory {}", dir.display()),
        why: error.to_string(),
        attempt: attempt.to_owned(),
        code: Some(Code::KafkaStorageError),
    }
}
