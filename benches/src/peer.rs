//! Decides how each broker is started, found ready, cleaned between cells and ended. Each runs in a session of its own, on
//! loopback, under a directory of its own, and dies with this process.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::control::Control;
use crate::side::{Broker, Side};
use crate::verify::Source;

const READY_MAX: Duration = Duration::from_secs(90);
/// A broker whose directory is larger starts anew in an empty one before the next cell.
const DISK_MAX: u64 = 6 << 30;

/// What stands in the place of Sawlog.
#[derive(Clone, Debug)]
pub enum Subject {
    /// This binary.
    Binary(PathBuf),
    /// A broker that somebody else started: its CPU, memory and start are not measured.
    Running(SocketAddr),
    /// The limit broker itself: every ratio to it must come out as 1.
    Limit,
}

/// Where the programs lie.
#[derive(Clone, Debug)]
pub struct Programs {
    /// Ours.
    pub sawlog: Option<Subject>,
    /// The limit broker's binary.
    pub limit: Option<PathBuf>,
    /// Kafka's start script.
    pub kafka: Option<PathBuf>,
    /// Data and logs of all of them.
    pub room: PathBuf,
}

impl Programs {
    /// Whether this side can be started here.
    #[must_use]
    pub fn have(&self, side: Side) -> bool {
        match side.broker() {
            Broker::Sawlog => self.sawlog.is_some(),
            Broker::LimitDiscard | Broker::LimitWrite | Broker::LimitDurable => {
                self.limit.is_some()
            }
            Broker::Kafka | Broker::KafkaFsync => self.kafka.is_some(),
        }
    }

    /// Which process serves this side.
    #[must_use]
    pub fn seat(&self, side: Side) -> Seat {
        let software = match (side, &self.sawlog) {
            (Side::SawlogDurable, Some(Subject::Limit)) => Broker::LimitDurable,
            (Side::SawlogReplicated, Some(Subject::Limit)) => Broker::LimitWrite,
            _ => side.broker(),
        };
        Seat {
            subject: side.broker() == Broker::Sawlog,
            software,
        }
    }

    fn command(&self, software: Broker, dir: &Path, port: u16) -> Result<Command> {
        let limit = |mode: &str| -> Result<Command> {
            let mut command = sided(self.limit.as_deref().context("no limit broker")?)?;
            command
                .arg(port.to_string())
                .args([mode, "tokio1"])
                .arg(dir)
                .arg("crc");
            Ok(command)
        };
        match software {
            Broker::LimitDiscard => limit("discard"),
            Broker::LimitWrite => limit("write"),
            Broker::LimitDurable => limit("directsync"),
            Broker::Sawlog => {
                let Some(Subject::Binary(binary)) = &self.sawlog else {
                    bail!("this Sawlog is started elsewhere")
                };
                let mut command = sided(binary)?;
                command.arg("broker");
                for setting in [
                    format!("log.dirs={}", dir.display()),
                    format!("listeners=PLAINTEXT://127.0.0.1:{port}"),
                    "sawlog.cache.bytes=67108864".to_owned(),
                ] {
                    command.arg("-X").arg(setting);
                }
                Ok(command)
            }
            Broker::Kafka | Broker::KafkaFsync => {
                let mut command = sided(self.kafka.as_deref().context("no Kafka")?)?;
                let flush = if software == Broker::KafkaFsync {
                    "log.flush.interval.messages=1\n"
                } else {
                    ""
                };
                command.arg("node").arg(dir);
                command.env("PORT", port.to_string());
                command.env(
                    "KAFKA_CONF",
                    format!("{flush}log.segment.delete.delay.ms=500\nmessage.max.bytes=8388608"),
                );
                Ok(command)
            }
        }
    }
}

/// One process: Sawlog serves both of its promises in one, and beside its own stand-in the limit broker has a second one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seat {
    /// Whether it is what the others are compared with.
    subject: bool,
    /// What runs.
    software: Broker,
}

impl Seat {
    fn label(self) -> String {
        format!(
            "{}{:?}",
            if self.subject { "subject-" } else { "" },
            self.software
        )
    }
}

/// The limit broker's binary: `path` itself, or built from the sources there, which are left as they are.
pub fn build_limit(path: &Path, room: &Path) -> Result<PathBuf> {
    if path.is_file() {
        return path
            .canonicalize()
            .with_context(|| path.display().to_string());
    }
    let sources = room.join("limit-broker");
    fs::create_dir_all(sources.join("src"))?;
    for file in ["Cargo.toml", "src/broker.rs", "src/kload.rs"] {
        let (from, to) = (path.join(file), sources.join(file));
        let text = fs::read(&from).with_context(|| from.display().to_string())?;
        // An unchanged file keeps its time, so that nothing is built twice.
        if fs::read(&to).ok().as_deref() != Some(text.as_slice()) {
            fs::write(&to, text)?;
        }
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--release", "--bin", "limbroker"])
        .current_dir(&sources)
        .env("CARGO_TARGET_DIR", sources.join("target"))
        .status()?;
    ensure!(status.success(), "the limit broker does not build");
    Ok(sources.join("target/release/limbroker"))
}

/// A command in a session of its own (`bench side`).
pub fn sided(program: &Path) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("side").arg("--").arg(program);
    Ok(command)
}

/// Becomes `words`, in a new session with its own share of the CPUs, ended when its parent ends.
pub fn become_side(words: &[String]) -> Result<()> {
    use std::os::unix::process::CommandExt;
    let [program, arguments @ ..] = words else {
        bail!("no program named")
    };
    rustix::process::setsid()?;
    // Autogroups may be switched off; then all share alike.
    let _ = fs::write("/proc/self/autogroup", "-15");
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    Err(Command::new(program).args(arguments).exec()).with_context(|| format!("start {program}"))
}

/// A broker that runs.
pub struct Node {
    seat: Seat,
    process: Option<Child>,
    address: SocketAddr,
    dir: PathBuf,
}

impl Node {
    /// Starts it in an empty directory and waits until it serves.
    pub fn start(programs: &Programs, seat: Seat) -> Result<Self> {
        let mut node = Self::place(programs, seat);
        if node.address.port() == 0 {
            node.wipe()?;
            node.spawn(programs)?;
        }
        node.wait_ready()?;
        Ok(node)
    }

    /// Decides where it lives; starts nothing.
    #[must_use]
    pub fn place(programs: &Programs, seat: Seat) -> Self {
        let address = match (seat.software, &programs.sawlog) {
            (Broker::Sawlog, Some(Subject::Running(address))) => *address,
            _ => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        };
        Self {
            seat,
            process: None,
            address,
            dir: programs.room.join(seat.label()),
        }
    }

    /// Starts the process in the directory as it is; does not wait.
    pub fn spawn(&mut self, programs: &Programs) -> Result<()> {
        ensure!(self.process.is_none(), "{:?} runs already", self.seat);
        let port = free_port()?;
        self.address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        fs::create_dir_all(&self.dir)?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.dir.with_extension("log"))?;
        let mut command = programs.command(self.seat.software, &self.dir, port)?;
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        self.process = Some(command.spawn()?);
        Ok(())
    }

    fn wait_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + READY_MAX;
        loop {
            self.alive()?;
            let asked = Control::connect(self.address).and_then(|mut control| {
                let reply = control.ask(&[&crate::frame::metadata("none-1")])?;
                Ok(crate::frame::led_partitions(reply)?)
            });
            match asked {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > deadline => {
                    return Err(error).with_context(|| {
                        format!("{} is not ready after {READY_MAX:?}", self.seat.label())
                    });
                }
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// An error if the process has ended.
    pub fn alive(&mut self) -> Result<()> {
        if let Some(child) = &mut self.process
            && let Some(status) = child.try_wait()?
        {
            bail!(
                "{} ended with {status}; see {}",
                self.seat.label(),
                self.dir.with_extension("log").display()
            );
        }
        Ok(())
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process, where it is ours to measure.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// Its data.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes a topic; the limit broker has `NAME-N` with N partitions as soon as somebody names it.
    pub fn create_topic(&self, topic: &str, partitions: i32, side: Side) -> Result<()> {
        if self.seat.software.is_limit() {
            return Ok(());
        }
        Control::connect(self.address)?.create_topic(topic, partitions, side.topic_configs())
    }

    /// Where its records can be read back.
    #[must_use]
    pub fn source(&self) -> Source<'_> {
        match self.seat.software {
            Broker::LimitDiscard => Source::Nowhere,
            // It does not serve what it wrote by O_DIRECT; its files hold plain batches.
            Broker::LimitDurable => Source::Files(&self.dir),
            _ => Source::Broker(self.address),
        }
    }

    /// Frees the disk after a cell.
    pub fn clean(&mut self, programs: &Programs, topic: &str) -> Result<()> {
        match self.seat.software {
            Broker::Kafka | Broker::KafkaFsync => {
                Control::connect(self.address)?.delete_topic(topic)
            }
            _ if self.process.is_some() && crate::host::disk_use(&self.dir) > DISK_MAX => {
                self.kill()?;
                self.wipe()?;
                self.spawn(programs)?;
                self.wait_ready()
            }
            _ => Ok(()),
        }
    }

    /// kill -9.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.process.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Removes its data; it must not run.
    pub fn wipe(&self) -> Result<()> {
        match fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| self.dir.display().to_string())
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // The process may have ended by itself; there is nobody to tell. Its log stays beside its data's place.
        if self.process.is_some() {
            let _ = self.kill();
            let _ = self.wipe();
        }
    }
}

fn free_port() -> Result<u16> {
    // Kafka's script takes a second port 100 above the first.
    for _ in 0..100 {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        if let Some(second) = port.checked_add(100)
            && TcpListener::bind((Ipv4Addr::LOCALHOST, second)).is_ok()
        {
            return Ok(port);
        }
    }
    bail!("no free pair of ports on loopback")
}
