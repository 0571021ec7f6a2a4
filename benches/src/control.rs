//! Decides how a topic is made ready and its records are read back: one request, one reply, nothing measured.
//! The bytes of requests and replies are `frame`'s; whether the records are whole is `verify`'s.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::frame;

/// A reply larger than this is a mistake, not data.
const REPLY_MAX: usize = 256 << 20;
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// A blocking connection.
pub struct Control {
    stream: TcpStream,
    reply: Vec<u8>,
}

impl Control {
    /// Connects, or says at once that nobody listens.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream =
            TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE_MAX))?;
        Ok(Self {
            stream,
            reply: Vec::new(),
        })
    }

    /// Sends one request, in parts, and gives its reply without the length field.
    pub fn ask(&mut self, request: &[&[u8]]) -> Result<&[u8]> {
        self.send(request)?;
        self.receive()?;
        Ok(&self.reply)
    }

    /// Sends one request, in parts.
    pub fn send(&mut self, request: &[&[u8]]) -> Result<()> {
        for part in request {
            self.stream.write_all(part)?;
        }
        Ok(())
    }

    /// Waits for the reply to the oldest request that has none; [`Control::reply`] is that one from now on.
    pub fn receive(&mut self) -> Result<()> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).context("no reply")?;
        let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > REPLY_MAX {
            bail!("a reply of {length} bytes");
        }
        self.reply.resize(length, 0);
        self.stream
            .read_exact(&mut self.reply)
            .context("truncated reply")
    }

    /// The reply that came last, without the length field.
    #[must_use]
    pub fn reply(&self) -> &[u8] {
        &self.reply
    }

    /// Makes a topic and waits until each partition has a leader.
    pub fn create_topic(
        &mut self,
        topic: &str,
        partitions: i32,
        configs: &[(&str, &str)],
    ) -> Result<()> {
        match frame::created(self.ask(&[&frame::create_topic(topic, partitions, configs)])?)? {
            Ok(()) => {}
            // TOPIC_ALREADY_EXISTS
            Err((frame::Refused(36), _)) => {}
            Err((refused, words)) => bail!("create {topic}: {refused} {words}"),
        }
        let deadline = Instant::now() + SILENCE_MAX;
        let wait = || {
            std::thread::sleep(Duration::from_micros(500));
            ensure!(
                Instant::now() < deadline,
                "{topic} has no leaders after {SILENCE_MAX:?}"
            );
            Ok(())
        };
        while frame::led_partitions(self.ask(&[&frame::metadata(topic)])?)? < partitions as usize {
            wait()?;
        }
        // Kafka names the leader before the leader knows of it.
        for partition in 0..partitions {
            let fetch = frame::fetch(topic, partition, 0, 1, frame::Wait::No);
            while let Err(refused) = frame::fetched(self.ask(&[&fetch])?)? {
                ensure!(refused.passes(), "{topic}-{partition}: {refused}");
                wait()?;
            }
        }
        Ok(())
    }

    /// Removes a topic with all its data.
    pub fn delete_topic(&mut self, topic: &str) -> Result<()> {
        self.ask(&[&frame::delete_topic(topic)]).map(|_| ())
    }

    /// Sends one batch to one partition; the offset, or why not.
    pub fn produce(
        &mut self,
        topic: &str,
        partition: i32,
        batch: &[u8],
    ) -> Result<Result<i64, frame::Refused>> {
        let mut head = frame::ProduceHead::new(topic, batch.len());
        head.stamp(0, partition);
        Ok(frame::produced(self.ask(&[head.bytes(), batch])?, topic)?.base)
    }
}
