//! Which address clients are told, tried from where it matters: a broker and two clients in network namespaces of their own,
//! of which no client sees the other, and each reaches the broker by an address that means nothing to the other (gotcha 10).

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use tests::broker::{Broker, Start, binary};
use tests::host::{Folder, has, is_root, not_run, run};

const PORT: u16 = 9092;

/// A network namespace, held by a process that waits in it.
struct Net(Child);

impl Net {
    fn new() -> Net {
        let script = "ip link set lo up && echo up && exec cat";
        let mut child = Command::new("unshare")
            .args(["-n", "sh", "-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let out = child.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        assert_eq!(line, "up\n");
        Net(child)
    }

    fn id(&self) -> String {
        self.0.id().to_string()
    }

    /// Runs a command in it, and gives what it wrote.
    fn run(&self, words: &[&str]) -> anyhow::Result<String> {
        let id = self.id();
        let mut all = vec!["-t", &id, "-n"];
        all.extend_from_slice(words);
        run("nsenter", &all)
    }

    fn ip(&self, words: &str) {
        let mut all = vec!["ip"];
        all.extend(words.split(' '));
        self.run(&all).unwrap();
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A broker's namespace and two clients', each client with a cable of its own to the broker: 10.77.N.2 to 10.77.N.1.
struct Cabled {
    broker: Net,
    clients: [Net; 2],
    folder: Folder,
}

impl Cabled {
    fn new(story: &str) -> Option<Cabled> {
        if !is_root() || !has("ip") || !has("nsenter") {
            not_run(story, "it takes root, ip and nsenter");
            return None;
        }
        let broker = Net::new();
        let clients = [1, 2].map(|n| {
            let client = Net::new();
            let (id, own) = (client.id(), format!("to{n}"));
            broker.ip(&format!(
                "link add {own} type veth peer name eth0 netns {id}"
            ));
            broker.ip(&format!("addr add 10.77.{n}.1/24 dev {own}"));
            broker.ip(&format!("link set {own} up"));
            client.ip(&format!("addr add 10.77.{n}.2/24 dev eth0"));
            client.ip("link set eth0 up");
            client
        });
        let folder = Folder::new(story).unwrap();
        Some(Cabled {
            broker,
            clients,
            folder,
        })
    }

    fn start(&self, settings: &[&str]) -> Broker {
        let id = self.broker.id();
        let mut start = Start::on(&self.folder.join("data")).under(["nsenter", "-t", &id, "-n"]);
        start.settings = settings.iter().map(ToString::to_string).collect();
        start.ready().unwrap()
    }

    /// Client N makes a topic, writes to it and reads it back, all by the one address that it was given.
    fn client_works(&self, n: usize) -> anyhow::Result<()> {
        let net = &self.clients[n - 1];
        let brokers = format!("10.77.{n}.1:{PORT}");
        let (sawlog, topic) = (binary()?.to_str().unwrap(), format!("t{n}"));
        let file = self.folder.join(&topic);
        std::fs::write(&file, format!("from {n}\n"))?;
        let common = ["--brokers", &brokers, "--timeout", "5"];
        let told = |words: &[&str]| {
            let mut all = vec![sawlog];
            all.extend_from_slice(words);
            all.extend_from_slice(&common);
            net.run(&all)
        };
        told(&["topic", "create", &topic])?;
        told(&["produce", &topic, file.to_str().unwrap()])?;
        let read = told(&["consume", &topic, "-n", "1"])?;
        anyhow::ensure!(read.contains(&format!("from {n}")), "{read:?}");
        Ok(())
    }
}

#[test]
fn gotcha_10_each_client_of_a_listener_on_every_address_is_told_the_one_that_it_reached() {
    let Some(cabled) = Cabled::new("network-auto") else {
        return;
    };
    let every = format!("listeners=PLAINTEXT://0.0.0.0:{PORT}");
    let broker = cabled.start(&[&every]);
    for n in [1, 2] {
        cabled.client_works(n).unwrap();
    }
    broker.stop().unwrap();
}

#[test]
fn listeners_that_name_their_addresses_are_told_to_whoever_came_by_them() {
    let Some(cabled) = Cabled::new("network-named") else {
        return;
    };
    let named = format!("listeners=A://10.77.1.1:{PORT},B://10.77.2.1:{PORT}");
    let broker = cabled.start(&[
        &named,
        "listener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT",
    ]);
    for n in [1, 2] {
        cabled.client_works(n).unwrap();
    }
    broker.stop().unwrap();
}

#[test]
fn an_advertised_listener_is_told_to_all_and_reaches_only_those_who_can_reach_it() {
    let Some(cabled) = Cabled::new("network-advertised") else {
        return;
    };
    // As behind NAT: an address that is on none of the cables, to which client 1 has a way and client 2 has none.
    cabled.broker.ip("addr add 10.99.0.1/32 dev lo");
    cabled.clients[0].ip("route add 10.99.0.1 via 10.77.1.1");
    cabled.clients[1].ip("route add unreachable 10.99.0.1");
    let every = format!("listeners=PLAINTEXT://0.0.0.0:{PORT}");
    let told = format!("advertised.listeners=PLAINTEXT://10.99.0.1:{PORT}");
    let broker = cabled.start(&[&every, &told]);
    cabled.client_works(1).unwrap();
    assert!(
        cabled.client_works(2).is_err(),
        "it was told what it can reach: the cables prove nothing (#144)"
    );
    broker.stop().unwrap();
}
