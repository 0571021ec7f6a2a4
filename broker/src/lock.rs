//! One process for a data directory. Decides whether it may be used: locked by nobody else, and there or to be made.
//! What was made for the lock alone goes when the node does not start; never touches what lies in the directory.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, Mode, OFlags};
use sawlog_core::complaint::Complaint;
use sawlog_core::file::FaultKind;
use sawlog_core::proof;
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
        // One that may be passed through and not read cannot be synced by this user.
        let made_dir = make(dir, |above| match std::fs::File::open(above) {
            Ok(above) => above.sync_all(),
            Err(_) => Ok(()),
        })?;
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

/// Makes the directory and those above it that are missing, if any, and has the names of what was made last as long as what
/// will lie in it: each is told to `sync` that got a new name. Whether any was made.
fn make(dir: &Path, mut sync: impl FnMut(&Path) -> io::Result<()>) -> Result<bool, Complaint> {
    let missing = |at: &&Path| !at.as_os_str().is_empty() && !at.exists();
    let missing: Vec<&Path> = dir.ancestors().take_while(missing).collect();
    std::fs::create_dir_all(dir).map_err(|error| unusable(dir, &error))?;
    for made in &missing {
        if proof::mutant("made-directory-unsynced") {
            break;
        }
        let above = made.parent().filter(|above| !above.as_os_str().is_empty());
        sync(above.unwrap_or(Path::new("."))).map_err(|error| unusable(made, &error))?;
    }
    Ok(!missing.is_empty())
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Founds below some directories that are there, and cuts the power then: a name that was made and not synced since is
    /// gone, and with it all that lies behind it.
    fn a_made_directory_outlasts_a_power_cut() {
        // Two tests of one process run this.
        let me = std::thread::current().id();
        let name = format!("sawlog-made-{}-{me:?}", std::process::id());
        let root = std::env::temp_dir().join(name);
        for there in ["", "a", "a/b", "a/b/data"] {
            std::fs::create_dir_all(root.join(there)).unwrap();
            let dir = root.join("a/b/data");
            let before: BTreeSet<&Path> = dir.ancestors().filter(|at| at.exists()).collect();
            let mut kept: BTreeSet<PathBuf> = before.iter().map(|at| at.to_path_buf()).collect();
            let made = make(&dir, |above| {
                for entry in std::fs::read_dir(above)? {
                    kept.insert(entry?.path());
                }
                Ok(())
            });
            assert_eq!(made, Ok(!before.contains(&*dir)), "{there:?} was there");
            let lost = dir.ancestors().find(|at| !kept.contains(*at));
            std::fs::remove_dir_all(&root).unwrap();
            assert_eq!(lost, None, "{there:?} was there");
        }
    }

    #[test]
    fn a_directory_that_a_start_made_is_there_after_a_power_cut() {
        a_made_directory_outlasts_a_power_cut();
    }

    #[test]
    fn a_directory_whose_name_cannot_be_synced_is_refused() {
        let root = std::env::temp_dir().join(format!("sawlog-unsynced-{}", std::process::id()));
        let made = make(&root, |_| Err(io::ErrorKind::StorageFull.into()));
        std::fs::remove_dir(&root).unwrap();
        let why = made.unwrap_err().to_string();
        assert!(
            why.contains("Make room") && why.contains("unsynced"),
            "{why}"
        );
    }

    #[cfg(feature = "mutants")]
    #[test]
    fn a_made_directory_that_is_not_synced_is_caught() {
        proof::choose(Some("made-directory-unsynced"));
        let outcome = std::panic::catch_unwind(a_made_directory_outlasts_a_power_cut);
        let fired = proof::fired();
        proof::choose(None);
        assert!(fired > 0 && outcome.is_err(), "a test that cannot fail");
    }
}
