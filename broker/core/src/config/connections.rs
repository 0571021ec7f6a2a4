//! How many connections there may be: in all, from one address, and from addresses that are named. Decides what may be said
//! of it and whose bound is which; who gets in by it, the server decides (`net::seats`).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::listeners::bare;

/// The most connections.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Connections {
    /// `max.connections`.
    pub all: u32,
    /// `max.connections.per.ip`.
    pub per_address: u32,
    /// `max.connections.per.ip.overrides`: addresses with a bound of their own.
    pub overrides: Vec<(IpAddr, u32)>,
}

impl Default for Connections {
    fn default() -> Connections {
        Connections {
            all: i32::MAX as u32,
            per_address: i32::MAX as u32,
            overrides: Vec::new(),
        }
    }
}

impl Connections {
    /// How many there may be from this address.
    pub fn from_one(&self, address: IpAddr) -> u32 {
        let own = self.overrides.iter().find(|(own, _)| *own == address);
        own.map_or(self.per_address, |(_, most)| *most)
    }
}

/// `ADDRESS:NUMBER`, several with commas between. Names of hosts are not looked up: who is behind one may change, and a
/// bound that follows another host nobody has meant.
pub(super) fn overrides(text: &str) -> Result<Vec<(IpAddr, u32)>, String> {
    let mut all: Vec<(IpAddr, u32)> = Vec::new();
    for item in text.split(',').map(str::trim) {
        let wrong = || format!("'{item}' is not of the form ADDRESS:NUMBER");
        let (address, most) = item.rsplit_once(':').ok_or_else(wrong)?;
        let address: IpAddr = bare(address.trim())
            .parse()
            .map_err(|_| format!("'{}' is not an address", address.trim()))?;
        let address = address.to_canonical();
        let most = most.trim().parse::<u32>().ok();
        let most = most.filter(|most| i32::try_from(*most).is_ok());
        let most = most.ok_or_else(wrong)?;
        if all.iter().any(|(other, _)| *other == address) {
            return Err(format!("the address {address} is named twice"));
        }
        all.push((address, most));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_have_a_bound_of_its_own_in_either_version_and_either_spelling() {
        let said = overrides("127.0.0.1:5, ::1:7,[2001:db8::2]:0,::ffff:10.0.0.1:9").unwrap();
        let bounds = Connections {
            per_address: 3,
            overrides: said,
            ..Connections::default()
        };
        for (address, most) in [
            ("127.0.0.1", 5),
            ("::1", 7),
            ("2001:db8::2", 0),
            ("10.0.0.1", 9),
            ("127.0.0.2", 3),
        ] {
            assert_eq!(bounds.from_one(address.parse().unwrap()), most, "{address}");
        }
        for (text, why) in [
            ("127.0.0.1", "not of the form"),
            ("127.0.0.1:", "not of the form"),
            ("127.0.0.1:-1", "not of the form"),
            ("127.0.0.1:2147483648", "not of the form"),
            ("127.0.0.1:1,", "not of the form"),
            ("example.org:5", "'example.org' is not an address"),
            ("127.0.0.1:1,::ffff:127.0.0.1:2", "named twice"),
        ] {
            let said = overrides(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
