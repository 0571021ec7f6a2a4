//! Seats for connections, in all and from one address, taken for as long as each lives. Decides by the settings of now who
//! gets in, never who is cut later. Holds #134 for clients: so many descriptors stay free for files.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use sawlog_core::config::Connections;

/// The seats of a node, shared by clones.
#[derive(Clone, Debug)]
pub struct Seats(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// As many as there are descriptors for.
    most: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug)]
struct Taken {
    bounds: Arc<Connections>,
    all: usize,
    /// By address; one from which nobody comes is not here.
    from: BTreeMap<IpAddr, usize>,
}

/// One connection's seat; it is free again when this is dropped.
#[derive(Debug)]
pub struct Seat {
    seats: Seats,
    address: IpAddr,
}

/// Why somebody gets none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Full {
    /// All are taken.
    All(usize),
    /// This address has as many as one may have.
    Address(usize),
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Full::All(max) => write!(
                f,
                "there are {max} connections, as many as max.connections and the limit on open files allow"
            ),
            Full::Address(max) => write!(
                f,
                "its address has {max} connections, and max.connections.per.ip or its overrides allow no more"
            ),
        }
    }
}

impl Seats {
    /// So many as the settings say, and no more than `most`.
    pub fn new(most: usize, bounds: Connections) -> Seats {
        let taken = Taken {
            bounds: Arc::new(bounds),
            all: 0,
            from: BTreeMap::new(),
        };
        Seats(Arc::new(Inner {
            most,
            taken: Mutex::new(taken),
        }))
    }

    /// The settings are these now. Who sits stays.
    pub fn bound(&self, bounds: &Arc<Connections>) {
        self.lock().bounds = bounds.clone();
    }

    /// A seat for somebody from this address.
    pub fn take(&self, address: IpAddr) -> Result<Seat, Full> {
        // A socket of both versions names clients of version 4 in the form of version 6.
        let address = address.to_canonical();
        let number = |most: u32| usize::try_from(most).unwrap_or(usize::MAX);
        let mut taken = self.lock();
        let all_max = number(taken.bounds.all).min(self.0.most);
        if taken.all >= all_max {
            return Err(Full::All(all_max));
        }
        let here = taken.from.get(&address).copied().unwrap_or(0);
        let address_max = number(taken.bounds.from_one(address));
        if here >= address_max {
            return Err(Full::Address(address_max));
        }
        taken.all += 1;
        taken.from.insert(address, here + 1);
        let seats = self.clone();
        Ok(Seat { seats, address })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Where its connection comes from, of either version in its own form.
    pub fn address(&self) -> IpAddr {
        self.address
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        taken.all = taken.all.saturating_sub(1);
        if let Some(here) = taken.from.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                taken.from.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, last])
    }

    fn bounds(all: u32, per_address: u32) -> Connections {
        Connections {
            all,
            per_address,
            ..Connections::default()
        }
    }

    #[test]
    fn bounds_that_change_decide_who_comes_next_and_cut_nobody_134() {
        let seats = Seats::new(3, bounds(9, 9));
        let mut inside: Vec<Seat> = (0..3).map(|_| seats.take(address(1)).unwrap()).collect();
        let open = Full::All(3);
        assert_eq!(seats.take(address(1)).unwrap_err(), open, "descriptors");
        seats.bound(&Arc::new(bounds(2, 9)));
        inside.pop();
        assert_eq!(seats.take(address(1)).unwrap_err(), Full::All(2));
        let own = Connections {
            overrides: vec![(address(1), 3), (address(2), 0)],
            ..bounds(9, 1)
        };
        seats.bound(&Arc::new(own));
        assert_eq!(seats.take(address(2)).unwrap_err(), Full::Address(0));
        inside.push(seats.take(address(1)).unwrap());
        inside.clear();
        let _one = seats.take(address(3)).unwrap();
        assert_eq!(seats.take(address(3)).unwrap_err(), Full::Address(1));
    }

    #[test]
    fn nobody_gets_in_beyond_the_bounds_and_a_seat_comes_back_with_its_connection_134() {
        let seats = Seats::new(3, bounds(9, 2));
        let one = seats.take(address(1)).unwrap();
        let mapped = IpAddr::from(std::net::Ipv4Addr::new(127, 0, 0, 1).to_ipv6_mapped());
        let two = seats.take(mapped).unwrap();
        assert_eq!(seats.take(address(1)).unwrap_err(), Full::Address(2));
        let other = seats.take(address(2)).unwrap();
        assert_eq!(seats.take(address(3)).unwrap_err(), Full::All(3));
        drop(two);
        let again = seats.take(address(1)).unwrap();
        drop((one, again, other));
        let taken = seats.lock();
        assert_eq!((taken.all, taken.from.len()), (0, 0), "#132");
    }
}
