//! By which listener a connection came, and where it reached this node. Decides nothing: `hints` tells clients the endpoints
//! of the listener that they came to, and of this node the address that they reached, where a listener says so.

use alloc::string::String;
use alloc::sync::Arc;

use crate::ids::Endpoint;

/// Shared by the connections of one listener, but where each is told its own address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Door {
    /// The listener's name: clients are told the endpoints of the one they came to.
    pub listener: String,
    /// What this client is told of this node, where that is the address that it reached.
    pub reached: Option<Endpoint>,
}

impl Door {
    /// Of a listener whose clients are all told the same.
    pub fn of(listener: &str) -> Arc<Door> {
        Arc::new(Door {
            listener: listener.into(),
            reached: None,
        })
    }
}
