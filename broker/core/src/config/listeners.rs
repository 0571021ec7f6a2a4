//! Listeners in Kafka's notation, `NAME://HOST:PORT`. Decides what they may say and that the keys about them agree;
//! never binds or resolves anything.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sawlog_wire::code::Code;

use super::{BrokerConfig, Value};
use crate::complaint::Complaint;
use crate::ids::Endpoint;

/// The host of an advertised listener that means: whatever address the client reached.
const AUTO: &str = "auto";

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
    let wrong = || format!("'{text}' is not of the form NAME://HOST:PORT");
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
    if ["SSL", "SASL_PLAINTEXT", "SASL_SSL"].contains(&&*name) {
        return Err(format!(
            "the protocol {name} is not there yet, only PLAINTEXT is"
        ));
    }
    let port = port
        .parse()
        .map_err(|_| format!("'{port}' is not a port"))?;
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    Ok(Endpoint {
        listener: name,
        host: host.to_string(),
        port,
    })
}

/// Only PLAINTEXT is there yet, whatever the listener is called.
pub(super) fn protocols(list: &Value) -> Result<(), String> {
    for item in list.list() {
        match item.split_once(':') {
            Some((_, "PLAINTEXT")) => {}
            Some((name, protocol)) => {
                return Err(format!(
                    "the protocol {protocol} of {name} is not there yet"
                ));
            }
            None => return Err(format!("'{item}' is not of the form NAME:PROTOCOL")),
        }
    }
    Ok(())
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
    None
}
