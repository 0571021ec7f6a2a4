//! A broker as a process of its own: started, waited for, stopped, killed, and heard.
//! Decides when it counts as up (its ready line) and where its words go (a file); never what they must say.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::host::{Folder, Mount};

/// Longer than any start, stop or answer takes, even where the machine is busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Polls until a condition holds; the error names what was waited for.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        ensure!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// The binary under test: `SAWLOG_BIN`, or what Cargo builds from this tree in the profile of this test.
pub fn binary() -> Result<&'static Path> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = BINARY.get_or_init(|| find_or_build().map_err(|error| format!("{error:#}")));
    found
        .as_deref()
        .map_err(|why| anyhow!("no broker to test: {why}"))
}

fn find_or_build() -> Result<PathBuf> {
    if let Some(given) = std::env::var_os("SAWLOG_BIN") {
        return Ok(given.into());
    }
    // target/PROFILE/deps/it-HASH
    let test = std::env::current_exe()?;
    let profile = test
        .ancestors()
        .nth(2)
        .context("this test lies outside a target folder")?;
    let name = match profile.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--package", "sawlog", "--profile", name])
        .arg("--manifest-path")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .arg("--target-dir")
        .arg(
            profile
                .parent()
                .context("a profile's folder has a parent")?,
        )
        .status()?;
    ensure!(built.success(), "cargo build: {built}");
    Ok(profile.join("sawlog"))
}

/// How a broker is to be started.
#[derive(Clone, Debug)]
pub struct Start {
    /// Its data directory.
    pub data: PathBuf,
    /// Where its standard error goes, appended.
    pub log: PathBuf,
    /// Further settings, KEY=VALUE.
    pub settings: Vec<String>,
    /// A command that runs the broker, with its arguments: strace, unshare.
    pub under: Vec<OsString>,
}

impl Start {
    /// A broker on `data`, whose words go to `data` with `.log` appended.
    pub fn on(data: &Path) -> Start {
        let mut log = data.as_os_str().to_owned();
        log.push(".log");
        Start {
            data: data.to_owned(),
            log: log.into(),
            settings: Vec::new(),
            under: Vec::new(),
        }
    }

    /// With one more setting, KEY=VALUE.
    pub fn set(mut self, setting: &str) -> Start {
        self.settings.push(setting.to_owned());
        self
    }

    /// On a file system of its own, with its words beside it.
    pub fn mounted(mount: &Mount, folder: &Folder) -> Start {
        Start {
            log: folder.join("broker.log"),
            ..Start::on(&mount.at().join("data"))
        }
    }

    /// As after a reboot: the boot id that the kernel tells the broker is this one.
    pub fn rebooted(self, boot: &Path, id: u64) -> Result<Start> {
        std::fs::write(boot, format!("00000000-0000-4000-8000-{id:012}\n"))?;
        let script = format!(
            "mount --bind {} /proc/sys/kernel/random/boot_id && exec \"$@\"",
            boot.display()
        );
        Ok(self.under(["unshare", "-m", "sh", "-c", &script, "sh"]))
    }

    /// Run by another command.
    pub fn under<I: Into<OsString>>(mut self, command: impl IntoIterator<Item = I>) -> Start {
        self.under = command.into_iter().map(Into::into).collect();
        self
    }

    fn command(&self) -> Result<Command> {
        let binary = binary()?;
        let mut words = self.under.iter();
        let mut command = match words.next() {
            Some(first) => {
                let mut command = Command::new(first);
                command.args(words).arg(binary);
                command
            }
            None => Command::new(binary),
        };
        command.arg("broker");
        let mut dirs = OsString::from("log.dirs=");
        dirs.push(&self.data);
        command.arg("-X").arg(dirs);
        command.args(["-X", "listeners=PLAINTEXT://127.0.0.1:0"]);
        for setting in &self.settings {
            command.arg("-X").arg(setting);
        }
        let log = File::options().create(true).append(true).open(&self.log)?;
        command
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        Ok(command)
    }

    /// Starts it and waits for its ready line.
    pub fn ready(&self) -> Result<Broker> {
        let mut broker = self.spawn()?;
        broker.wait_ready()?;
        Ok(broker)
    }

    /// Starts it and waits for it to refuse: its exit and all it said since.
    pub fn refused(&self) -> Result<String> {
        let said_before = self.said()?.len();
        let mut broker = self.spawn()?;
        let status = broker.exited()?;
        let said = self.said()?.split_off(said_before);
        ensure!(
            !status.success(),
            "it did not refuse but ended with {status}: {said}"
        );
        Ok(said)
    }

    fn spawn(&self) -> Result<Broker> {
        let child = self.command()?.spawn().context("start the broker")?;
        Ok(Broker {
            child,
            address: SocketAddr::from(([0; 4], 0)),
            ready: String::new(),
            log: self.log.clone(),
        })
    }

    /// All that brokers started like this said.
    pub fn said(&self) -> Result<String> {
        said(&self.log)
    }
}

fn said(log: &Path) -> Result<String> {
    let mut text = Vec::new();
    match File::open(log) {
        Ok(mut file) => file.read_to_end(&mut text)?,
        Err(_) => 0,
    };
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// A process that was started; dropped, it is killed.
#[derive(Debug)]
pub struct Broker {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its ready line.
    pub ready: String,
    log: PathBuf,
}

impl Broker {
    fn wait_ready(&mut self) -> Result<()> {
        let out = self
            .child
            .stdout
            .take()
            .context("its standard output is ours")?;
        let (sender, lines) = std::sync::mpsc::channel();
        // Ends with the process; nobody waits for it.
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(out).read_line(&mut line);
            let _ = sender.send(read.map(|_| line));
        });
        let line = lines
            .recv_timeout(PATIENCE)
            .context("no ready line came")??;
        let Some(rest) = line.strip_prefix("sawlog ready on ") else {
            let status = self.exited()?;
            bail!("it did not come up: {status}; {}", said(&self.log)?);
        };
        let address = rest.split(',').next().unwrap_or_default();
        self.address = address.parse().with_context(|| format!("ready: {line}"))?;
        self.ready = line.trim_end().to_owned();
        Ok(())
    }

    /// The id of the process that was started: of the broker, unless it runs under another command.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let id = i32::try_from(self.child.id())?;
        let id = Pid::from_raw(id).context("process 0 is not ours")?;
        Ok(kill_process(id, signal)?)
    }

    /// kill -9, and its end.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to stop, and demands that it does so with exit code 0.
    pub fn stop(mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        let status = self.exited()?;
        ensure!(
            status.success(),
            "after SIGTERM: {status}; {}",
            said(&self.log)?
        );
        Ok(())
    }

    /// Waits for its end.
    pub fn exited(&mut self) -> Result<ExitStatus> {
        let mut status = None;
        let child = &mut self.child;
        wait_until("the end of the broker", || {
            status = child.try_wait().ok().flatten();
            status.is_some()
        })?;
        status.context("it ended")
    }

    /// What was said on its standard error.
    pub fn said(&self) -> Result<String> {
        said(&self.log)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Gone already, most often.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
