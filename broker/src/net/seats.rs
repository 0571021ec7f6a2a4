//! How many connections there may be, in all and from one address. Decides who gets in, never who is cut later; a seat is
//! taken for as long as its connection lives. Holds #134 for clients: so many descriptors stay free for files.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// The seats of a node, shared by clones.
#[derive(Clone, Debug)]
pub struct Seats(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    all_max: usize,
    address_max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
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
                "its address has {max} connections, and max.connections.per.ip allows no more"
            ),
        }
    }
}

impl Seats {
    /// So many in all, and so many for one address.
    pub fn new(all_max: usize, address_max: usize) -> Seats {
        Seats(Arc::new(Inner {
            all_max,
            address_max,
            taken: Mutex::default(),
        }))
    }

    /// A seat for somebody from this address.
    pub fn take(&self, address: IpAddr) -> Result<Seat, Full> {
        // A socket of both versions names clients of version 4 in the form of version 6.
        let address = address.to_canonical();
        let Inner {
            all_max,
            address_max,
            ..
        } = *self.0;
        let mut taken = self.lock();
        if taken.all >= all_max {
            return Err(Full::All(all_max));
        }
        let here = taken.from.get(&address).copied().unwrap_or(0);
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

    #[test]
    fn nobody_gets_in_beyond_the_bounds_and_a_seat_comes_back_with_its_connection_134() {
        let seats = Seats::new(3, 2);
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
