//! What a host must have for a story, and a folder that goes away with it.
//! Decides when a story cannot run here and says so on a line that no test runner swallows (#144).

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

use crate::broker::wait_until;

/// Says something in the log of the tests, even of one that passes.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Says that a story did not run, and why.
pub fn not_run(story: &str, why: &str) {
    say(&format!("not run: {story}: {why}"));
}

/// Whether this process is root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether a command can be started.
pub fn has(command: &str) -> bool {
    let found = Command::new(command).arg("--version").output();
    found.is_ok()
}

/// Runs a command to its end; the error holds what it said.
pub fn run(command: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(command).args(arguments).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{command} {arguments:?}: {}; {said}",
        output.status
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Every file below a directory, with its bytes.
pub fn contents(directory: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            all.extend(contents(&path)?);
        } else {
            let bytes = std::fs::read(&path)?;
            all.insert(path, bytes);
        }
    }
    Ok(all)
}

/// A folder of its own, removed at the end, kept when the test failed.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Below `SAWLOG_IT_DIR`, else below the folder for temporary files.
    pub fn new(name: &str) -> Result<Folder> {
        let base = std::env::var_os("SAWLOG_IT_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let path = base.join(format!("sawlog-it-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path)?;
        Ok(Folder(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Something in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::thread::panicking() {
            say(&format!("kept for a look: {}", self.0.display()));
        } else {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// A file system in a file, mounted; unmounted when dropped.
#[derive(Debug)]
pub struct Mount {
    image: PathBuf,
    at: PathBuf,
}

impl Mount {
    /// Makes an ext4 file system of so many MiB in `image` of a folder and mounts it at `disk` there; says so where that
    /// cannot be done, and the story is not run.
    pub fn fresh(folder: &Folder, mebibytes: u64, story: &str) -> Option<Mount> {
        let image = folder.join("image");
        let made = std::fs::File::create(&image)
            .and_then(|file| file.set_len(mebibytes << 20))
            .map_err(anyhow::Error::from)
            .and_then(|()| run("mkfs.ext4", &["-q", "-F", &image.to_string_lossy()]))
            .and_then(|_| Mount::of(&image, &folder.join("disk")));
        made.inspect_err(|why| not_run(story, &format!("no loop mount: {why}")))
            .ok()
    }

    /// Mounts an image as it is.
    pub fn of(image: &Path, at: &Path) -> Result<Mount> {
        std::fs::create_dir_all(at)?;
        let (from, to) = (image.to_string_lossy(), at.to_string_lossy());
        run("mount", &["-o", "loop", &from, &to])?;
        Ok(Mount {
            image: image.to_owned(),
            at: at.to_owned(),
        })
    }

    /// The file that it lies in.
    pub fn image(&self) -> &Path {
        &self.image
    }

    /// Where it is mounted.
    pub fn at(&self) -> &Path {
        &self.at
    }

    /// Copies what has reached its medium, as a cut of power would leave it.
    pub fn copy(&self, to: &Path) -> Result<()> {
        let (from, to) = (self.image.to_string_lossy(), to.to_string_lossy());
        run("cp", &["--sparse=always", &from, &to])?;
        Ok(())
    }

    /// Unmounts it, and waits until nobody holds it: a broker that was just killed may, and a mount namespace of another
    /// story. Until then the same image mounted again would be this very file system, with all that it remembers.
    pub fn unmount(self) -> Result<()> {
        let image = self.image.to_string_lossy().into_owned();
        drop(self);
        wait_until("a file system that nobody holds", || {
            run("losetup", &["--associated", &image]).is_ok_and(|held| held.trim().is_empty())
        })
    }

    /// Writes a file until there is no room for more of it; gives the file, which may have been there.
    pub fn fill(&self) -> PathBuf {
        let filler = self.at.join("filler");
        let fill = format!("cat /dev/zero >> {}; sync", filler.display());
        // It ends with an error: that is the point.
        let _ = Command::new("sh")
            .args(["-c", &fill])
            .stderr(Stdio::null())
            .status();
        filler
    }

    /// Mounts it again with other options.
    pub fn remount(&self, options: &str) -> Result<()> {
        let options = format!("remount,{options}");
        run("mount", &["-o", &options, &self.at.to_string_lossy()])?;
        Ok(())
    }

    /// Where this kernel takes a word that makes ext4 believe that it met an error.
    pub fn trigger(&self) -> Result<PathBuf> {
        let at = self.at.to_string_lossy();
        let source = run("findmnt", &["--noheadings", "--output", "SOURCE", &at])?;
        let device = source.trim().rsplit('/').next().unwrap_or_default();
        Ok(Path::new("/sys/fs/ext4")
            .join(device)
            .join("trigger_fs_error"))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // A broker that was just killed may hold it for a moment longer.
        let at = self.at.to_string_lossy();
        if run("umount", &[&at]).is_err() {
            let _ = run("umount", &["--lazy", &at]);
        }
    }
}
