//! The broker that the client's stories talk to: Sawlog, or Apache Kafka where SAWLOG_CLIENT_AGAINST=kafka asks for it.
//! Decides how each is started, killed, and started again at its address; never what it answers.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tests::broker::{Broker, Start};
use tests::host::Folder;

/// A broker that runs.
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    folder: Folder,
    life: Option<Life>,
}

enum Life {
    Sawlog(Broker),
    Kafka(Child),
}

impl Peer {
    /// A fresh one.
    pub(super) fn begin(name: &str) -> Peer {
        let folder = Folder::new(name).unwrap();
        match std::env::var("SAWLOG_CLIENT_AGAINST").as_deref() {
            Err(_) | Ok("" | "sawlog") => {
                let broker = Start::on(&folder.join("data")).ready().unwrap();
                Peer {
                    address: broker.address,
                    folder,
                    life: Some(Life::Sawlog(broker)),
                }
            }
            Ok("kafka") => {
                let address = two_ports();
                let life = Some(Life::Kafka(kafka(&folder, address)));
                Peer {
                    address,
                    folder,
                    life,
                }
            }
            Ok(other) => panic!("SAWLOG_CLIENT_AGAINST={other}: sawlog and kafka are known"),
        }
    }

    /// SIGKILL.
    pub(super) fn kill(&mut self) {
        match self.life.take() {
            Some(Life::Sawlog(broker)) => broker.kill().unwrap(),
            Some(Life::Kafka(mut child)) => end(&mut child),
            None => {}
        }
    }

    /// SIGKILL, and with the same data at the same address once more.
    pub(super) fn kill_and_start(&mut self) {
        let ours = matches!(self.life, Some(Life::Sawlog(_)));
        self.kill();
        self.life = Some(if ours {
            let same = format!("listeners=PLAINTEXT://{}", self.address);
            let start = Start::on(&self.folder.join("data")).set(&same);
            Life::Sawlog(start.ready().unwrap())
        } else {
            Life::Kafka(kafka(&self.folder, self.address))
        });
    }

    /// The clean end.
    pub(super) fn stop(mut self) {
        if let Some(Life::Sawlog(broker)) = self.life.take() {
            broker.stop().unwrap();
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(Life::Kafka(mut child)) = self.life.take() {
            end(&mut child);
        }
    }
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// An address whose port, and the one behind it for the controller, were free a moment ago.
fn two_ports() -> SocketAddr {
    loop {
        let one = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = one.local_addr().unwrap();
        let next = address.port().checked_add(1);
        if next.is_some_and(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return address;
        }
    }
}

fn kafka(folder: &Folder, address: SocketAddr) -> Child {
    let log = File::options()
        .create(true)
        .append(true)
        .open(folder.join("kafka.log"))
        .unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/interop/kafka/kafka");
    let child = Command::new(script)
        .arg("node")
        .arg(folder.join("kafka"))
        .arg(address.port().to_string())
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn();
    let mut child = child.unwrap();
    // As long as it lives: how long a virtual machine takes to start says nothing about the client.
    while TcpStream::connect(address).is_err() {
        assert!(child.try_wait().unwrap().is_none(), "it ended at its start");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}
