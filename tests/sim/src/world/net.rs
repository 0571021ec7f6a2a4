//! The net: connections as TCP has them. Decides when bytes arrive and what is lost with a connection; never what is in
//! them.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use sawlog_core::proof;

use crate::world::{MS, What, Wire, World};

/// What a seed does not decide; see the mutant that uses it.
static OUTSIDE: AtomicU64 = AtomicU64::new(1);

impl World {
    pub(super) fn connect(&mut self, number: usize) {
        if self.conn_of.contains_key(&number) {
            return;
        }
        let now = self.now;
        match &mut self.process {
            Some(process) if process.ready => {
                let conn = self.next_conn;
                self.next_conn += 1;
                process.accept(conn);
                let wire = Wire {
                    client: number,
                    life: self.life,
                    last: [now, now],
                    open: true,
                };
                self.wires.insert(conn, wire);
                self.conn_of.insert(number, conn);
                self.with_client(number, |client, t, rng, wants| {
                    client.connected(t, rng, wants)
                });
            }
            _ => {
                let wait = self.rng.net.delay(10 * MS);
                self.tick_after(number, wait);
            }
        }
    }

    /// Sends bytes in one to three segments, which arrive in order. Some answers never do: whoever sent the request must
    /// not know that it was done.
    pub(super) fn send(&mut self, conn: u64, to_broker: bool, bytes: Bytes) {
        if !to_broker && self.shape.lost_replies > 0 && self.rng.net.chance(self.shape.lost_replies)
        {
            self.replies_lost += 1;
            return self.end(conn, true, true);
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let cut = if self.rng.net.chance(150) {
                self.rng.net.between(1, rest.len() as u64)
            } else {
                u64::MAX
            };
            let part = rest.split_to(rest.len().min(usize::try_from(cut).unwrap_or(usize::MAX)));
            let mut delay = self.rng.net.delay(self.shape.net);
            if proof::mutant("chance-outside-the-seed") {
                // The known bug: a number that no seed gave.
                delay += OUTSIDE.fetch_add(1, Ordering::Relaxed) % 97;
            }
            let Some(wire) = self.wires.get_mut(&conn).filter(|wire| wire.open) else {
                return;
            };
            let Some(last) = wire.last.get_mut(usize::from(to_broker)) else {
                return;
            };
            *last = (*last + 1).max(self.now + delay);
            let wait = *last - self.now;
            self.at(
                wait,
                What::Bytes {
                    conn,
                    to_broker,
                    bytes: part,
                },
            );
        }
    }

    pub(super) fn arrive(&mut self, conn: u64, to_broker: bool, bytes: &[u8]) {
        let Some(wire) = self.wires.get(&conn) else {
            return;
        };
        if to_broker {
            // What was sent before the cut may still be read by the broker (late bytes).
            if wire.life != self.life {
                return;
            }
            let now = self.clocks();
            let mut wishes = Vec::new();
            if let Some(process) = &mut self.process {
                process.bytes(now, conn, bytes, &mut wishes);
            }
            self.grant(wishes);
        } else if wire.open {
            let client = wire.client;
            self.with_client(client, |client, t, rng, wants| {
                client.bytes(t, bytes, rng, wants)
            });
        }
    }

    /// A connection is cut: the client learns it soon, the broker too, each at its own time.
    pub(super) fn end(&mut self, conn: u64, to_client: bool, to_broker: bool) {
        let Some(wire) = self.wires.get_mut(&conn) else {
            return;
        };
        if !wire.open {
            return;
        }
        wire.open = !to_client;
        let last = wire.last;
        let (soon, late) = (
            self.rng.net.delay(self.shape.net),
            self.rng.net.delay(self.shape.net),
        );
        let after = |last: Option<&u64>, wait: u64| {
            last.map_or(wait, |last| last.saturating_sub(self.now) + wait)
        };
        let (to, from) = (after(last.get(1), late), after(last.first(), soon));
        if to_client {
            self.at(
                soon,
                What::End {
                    conn,
                    to_broker: false,
                },
            );
        } else {
            // The broker closed it: what it sent before arrives first.
            self.at(
                from,
                What::End {
                    conn,
                    to_broker: false,
                },
            );
        }
        if to_broker {
            self.at(
                to,
                What::End {
                    conn,
                    to_broker: true,
                },
            );
        }
    }

    pub(super) fn ended(&mut self, conn: u64, to_broker: bool) {
        let Some(wire) = self.wires.get_mut(&conn) else {
            return;
        };
        if to_broker {
            if wire.life == self.life
                && let Some(process) = &mut self.process
            {
                process.gone(conn);
            }
            return;
        }
        wire.open = false;
        let client = wire.client;
        if self.conn_of.get(&client) == Some(&conn) {
            self.conn_of.remove(&client);
            self.with_client(client, |client, t, rng, wants| client.cut(t, rng, wants));
        }
    }
}
