//! Who changes the brokers' settings must be able to take the change back. Decides whether the address that a request came
//! from would still get in, of whatever its resources come to together; what the bounds are, `config` says. Holds #134.

use alloc::format;
use alloc::string::{String, ToString};
use core::net::IpAddr;

use sawlog_wire::Code;

use crate::cluster::image::Image;
use crate::complaint::Complaint;
use crate::controller::Refused;
use crate::ids::BrokerId;
use crate::map::Map;
use crate::proof;

/// Settings by the name of their resource: a broker's number, or nothing for all of them.
type Taken = Map<String, Map<String, String>>;

/// Who asks, and what the brokers' settings are by what was taken of the request so far.
pub(super) struct Asker<'i> {
    pub(super) image: &'i Image,
    from: Option<IpAddr>,
    taken: Taken,
}

impl<'i> Asker<'i> {
    /// Somebody at this address; without one there is no network to be shut out of.
    pub(super) fn new(image: &'i Image, from: Option<IpAddr>) -> Asker<'i> {
        Asker {
            image,
            // Clients of version 4 have the form of version 6 at a socket of both.
            from: from.map(|from| from.to_canonical()),
            taken: Map::new(),
        }
    }

    /// Takes the settings that a broker, or all of them, is to have, unless the asker could not come again: what locks the
    /// last way in could not be taken back while the node runs, nor by its file.
    pub(super) fn comes_again(
        &mut self,
        name: &str,
        have: &Map<String, String>,
    ) -> Result<(), Refused> {
        let before = self.taken.insert(name.to_string(), have.clone());
        let Some(from) = self.from else { return Ok(()) };
        let brokers = || self.image.brokers.keys().copied();
        let shut_out = brokers().find(|broker| self.seats(*broker, from, &self.taken) == 0);
        let Some(broker) = shut_out.filter(|_| !proof::mutant("asker-shut-out")) else {
            return Ok(());
        };
        if self.seats(broker, from, &Map::new()) == 0 {
            // It comes through a connection that is left from before, and this change is not what shut it out.
            return Ok(());
        }
        match before {
            Some(before) => self.taken.insert(name.to_string(), before),
            None => self.taken.remove(name),
        };
        let complaint = Complaint {
            what: format!("the settings of {} stay as they are", whose(name)),
            why: format!(
                "nobody from {from}, where this request comes from, could connect to broker {broker} any more, not even to \
                 take the change back"
            ),
            attempt: format!(
                "Leave {from} at least 1 in max.connections.per.ip.overrides, or make the change from another address"
            ),
            code: None,
        };
        Err(Refused(Code::InvalidRequest, complaint.to_string()))
    }

    /// How many connections a broker would take from this address, if this were taken.
    fn seats(&self, broker: BrokerId, from: IpAddr, taken: &Taken) -> u32 {
        let said = [None, Some(broker)].map(|whose| {
            let name = whose.map_or_else(String::new, |id| id.to_string());
            taken
                .get(&name)
                .or_else(|| self.image.broker_settings(whose))
        });
        // What another broker was started with nobody here knows; it is taken to be what this one was.
        let running = self.image.node.running(said.into_iter().flatten());
        running.connections.from_one(from)
    }
}

fn whose(name: &str) -> String {
    match name {
        "" => "all brokers".to_string(),
        id => format!("broker {id}"),
    }
}
