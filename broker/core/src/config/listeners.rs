//! Listeners in Kafka's notation, `NAME://HOST:PORT`. Decides what they may say and that the keys about them agree;
//! never binds or resolves anything.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sawlog_wire::code::Code;

use super::{BrokerConfig, Value};
use crate::complaint::Complaint;
use crate::ids::Endpoint;

/// The protocol that is there.
const PLAINTEXT: &str = "PLAINTEXT";
/// What Kafka can speak on a listener besides.
const PROTOCOLS_TO_COME: &[&str] = &["SSL", "SASL_PLAINTEXT", "SASL_SSL"];

/// The host of an advertised listener that means: whatever address the client reached.
const AUTO: &str = "auto";

/// What the sockets of all listeners are like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sockets {
    /// `socket.send.buffer.bytes`; none leaves it to the system.
    pub send_bytes: Option<u32>,
    /// `socket.receive.buffer.bytes`; none leaves it to the system.
    pub receive_bytes: Option<u32>,
    /// `socket.listen.backlog.size`: connections that may wait to be accepted.
    pub backlog: u32,
}

impl Default for Sockets {
    fn default() -> Sockets {
        Sockets {
            send_bytes: None,
            receive_bytes: None,
            backlog: 1024,
        }
    }
}

/// Where clients of a listener are told to connect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told<'c> {
    /// Where it is bound.
    AsBound,
    /// Here.
    Here(&'c Endpoint),
    /// Each to the address that it reached, at this port, or at the one that it reached too. On any address of the machine
    /// this is the one that certainly leads here, unless somebody translates addresses on the way (gotcha 10).
    AsReached(Option<u16>),
}

impl BrokerConfig {
    /// What clients of this listener are told.
    pub fn told(&self, listener: &Endpoint) -> Told<'_> {
        let named = |at: &&Endpoint| at.listener == listener.listener;
        match self.advertised.iter().find(named) {
            Some(at) if at.host == AUTO => Told::AsReached((at.port != 0).then_some(at.port)),
            Some(at) => Told::Here(at),
            None if ["", "0.0.0.0", "::"].contains(&&*listener.host) => Told::AsReached(None),
            None => Told::AsBound,
        }
    }
}

/// The listeners of a list, each name once.
pub(super) fn parse(list: &Value) -> Result<Vec<Endpoint>, String> {
    let mut all: Vec<Endpoint> = Vec::new();
    for item in list.list() {
        let endpoint = one(item)?;
        if all.iter().any(|other| other.listener == endpoint.listener) {
            return Err(format!("the listener {} is named twice", endpoint.listener));
        }
        all.push(endpoint);
    }
    Ok(all)
}

fn one(text: &str) -> Result<Endpoint, String> {
    let wrong = || match text.rsplit('/').next() {
        Some(AUTO) => format!(
            "'{text}' is not of the form NAME://HOST:PORT. {AUTO} is a HOST, and with PORT 0 the port is as it was reached: \
             PLAINTEXT://{AUTO}:0"
        ),
        _ => format!("'{text}' is not of the form NAME://HOST:PORT"),
    };
    let (name, address) = text.split_once("://").ok_or_else(wrong)?;
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    let legal = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if !legal {
        return Err(wrong());
    }
    let name = name.to_ascii_uppercase();
    if PROTOCOLS_TO_COME.contains(&&*name) {
        return Err(format!(
            "the protocol {name} is not there yet, only PLAINTEXT is"
        ));
    }
    let port = port
        .parse()
        .map_err(|_| format!("'{port}' is not a port"))?;
    Ok(Endpoint {
        listener: name,
        host: bare(host).to_string(),
        port,
    })
}

/// Names that have another protocol than PLAINTEXT, the only one that is there yet.
pub(super) fn protocols(list: &Value) -> Result<Vec<(String, String)>, String> {
    let mut all: Vec<(String, String)> = Vec::new();
    for item in list.list() {
        let Some((name, protocol)) = item.rsplit_once(':') else {
            return Err(format!("'{item}' is not of the form NAME:PROTOCOL"));
        };
        // Either may be written in any case, as in Kafka.
        let [name, protocol] = [name, protocol].map(|word| word.trim().to_ascii_uppercase());
        if protocol != PLAINTEXT && !PROTOCOLS_TO_COME.contains(&&*protocol) {
            return Err(format!("there is no protocol {protocol}, which {name} has"));
        }
        if all.iter().any(|(other, _)| *other == name) {
            return Err(format!("the listener {name} is named twice"));
        }
        all.push((name, protocol));
    }
    all.retain(|(_, protocol)| protocol != PLAINTEXT);
    Ok(all)
}

/// Hosts and ports.
pub(super) fn servers(list: &Value) -> Result<Vec<(String, u16)>, String> {
    let one = |text: &String| {
        let (host, port) = text.rsplit_once(':')?;
        let port = port.parse().ok()?;
        (!host.is_empty()).then(|| (bare(host).to_string(), port))
    };
    let all = list.list().iter();
    all.map(|text| one(text).ok_or_else(|| format!("'{text}' is not of the form HOST:PORT")))
        .collect()
}

/// A host without the brackets that an address of IPv6 is written in.
pub(super) fn bare(host: &str) -> &str {
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    inner.unwrap_or(host)
}

/// What the keys about listeners say against each other.
pub(super) fn agree(config: &BrokerConfig) -> Option<Complaint> {
    let bound = |name: &str| config.listeners.iter().any(|at| at.listener == name);
    let for_clients = |name: &str| {
        !config
            .controller_listeners
            .iter()
            .any(|other| other == name)
    };
    let complain = |what: String, why: &str, attempt: &str| {
        Some(Complaint {
            what,
            why: why.to_string(),
            attempt: attempt.to_string(),
            code: Some(Code::InvalidConfig),
        })
    };
    if !config.listeners.iter().any(|at| for_clients(&at.listener)) {
        let what = "listeners cannot be used".to_string();
        return complain(
            what,
            "no listener is for clients",
            "Add PLAINTEXT://localhost:9092",
        );
    }
    let other = |(name, _): &&(String, String)| bound(name);
    if let Some((name, protocol)) = config.other_protocols.iter().find(other) {
        return complain(
            format!("listener.security.protocol.map={name}:{protocol} cannot be used"),
            &format!("the protocol {protocol} is not there yet, and {name} is one of listeners"),
            "Give it PLAINTEXT, on an address that only friends reach",
        );
    }
    for told in &config.advertised {
        let what = format!(
            "advertised.listeners={}://{}:{} cannot be used",
            told.listener, told.host, told.port
        );
        if !bound(&told.listener) {
            return complain(
                what,
                "listeners has no listener of that name",
                "Use the names of listeners",
            );
        }
        let nowhere = told.host.is_empty() || ["0.0.0.0", "::"].contains(&&*told.host);
        if nowhere || told.port == 0 && told.host != AUTO {
            return complain(
                what,
                "no client can connect to it",
                "Give the host and the port that clients can reach, or auto for the address that each of them reached",
            );
        }
    }
    if let Some(name) = config.node_listener.as_ref().filter(|name| !bound(name)) {
        let what = format!("inter.broker.listener.name={name} cannot be used");
        return complain(
            what,
            "listeners has no listener of that name",
            "Use the names of listeners",
        );
    }
    match config.quorum_servers.as_slice() {
        [] => None,
        [(host, port)] if is_own(config, host, *port) => None,
        [(host, port)] => complain(
            format!("controller.quorum.bootstrap.servers={host}:{port} cannot be used"),
            "it names none of this node's own listeners for controllers, and clusters of several nodes are not there yet",
            "Name the host and port of this node's CONTROLLER listener, as listeners or advertised.listeners has them, or \
             leave it out",
        ),
        several => complain(
            format!(
                "controller.quorum.bootstrap.servers with {} servers cannot be used",
                several.len()
            ),
            "clusters of several nodes are not there yet",
            "Name this node's CONTROLLER listener alone, or leave it out",
        ),
    }
}

/// Whether a listener for controllers of this node is certainly meant. By its port alone another node's could be.
fn is_own(config: &BrokerConfig, host: &str, port: u16) -> bool {
    let is_for_controllers = |at: &&Endpoint| config.controller_listeners.contains(&at.listener);
    let bound = config.listeners.iter().filter(is_for_controllers);
    let told = config.advertised.iter();
    let own_name = told.clone().any(|at| at.host.eq_ignore_ascii_case(host))
        || config
            .listeners
            .iter()
            .any(|at| at.host.eq_ignore_ascii_case(host))
        || is_loopback(host);
    let mut ports = bound
        .chain(told.filter(is_for_controllers))
        .map(|at| at.port);
    own_name && ports.any(|own| own == port)
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.starts_with("127.") || host == "::1"
}
