//! Peers that speak something else: they are told apart in the log, and cannot fill it.
//! Clients see only that the connection ends, so the broker's line is all that there is to learn from.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use tests::broker::{Start, wait_until};
use tests::host::Folder;

#[test]
fn what_is_not_kafkas_protocol_is_named_in_the_log_and_a_flood_of_it_is_told_in_few_lines() {
    let folder = Folder::new("strangers").unwrap();
    // Each shard counts its own.
    let start = Start::on(&folder.join("data")).set("sawlog.shards=1");
    let broker = start.ready().unwrap();
    let say = |bytes: &[u8]| {
        let mut socket = TcpStream::connect(broker.address).unwrap();
        socket.write_all(bytes).unwrap();
        // Its end may come as a reset: the broker has not read all that was sent.
        let _ = socket.read(&mut [0; 16]);
    };
    say(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]);
    say(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    say(&i32::MAX.to_be_bytes());
    say(&(-5_i32).to_be_bytes());
    let words = [
        "looks like TLS",
        "looks like HTTP",
        "claims 2147483647",
        "claims -5",
    ];
    wait_until("a line for each", || {
        let said = broker.said().unwrap();
        words.iter().all(|word| said.contains(word))
    })
    .unwrap();
    let before = broker.said().unwrap().lines().count();
    let begun = Instant::now();
    for _ in 0..500 {
        say(&i32::MAX.to_be_bytes());
    }
    let lines = broker.said().unwrap().lines().count() - before;
    // Ten of a kind in ten seconds, which may have begun before.
    let most = 10 * (2 + begun.elapsed().as_secs() as usize / 10);
    assert!(lines <= most, "{lines} lines for 500 strangers");
    broker.stop().unwrap();
}
