//! Peers that do not speak Kafka's protocol: what their first bytes look like, for a line of the log.
//! Decides nothing else: the connection ends anyway.

/// What it is that begins like this, if it is something well known.
pub fn guess(bytes: [u8; 4]) -> Option<&'static str> {
    match &bytes {
        // A handshake record of any version of TLS.
        [0x16, 3, ..] => Some("it looks like TLS, and this listener speaks PLAINTEXT"),
        b"GET " | b"HEAD" | b"POST" | b"PUT " | b"DELE" | b"OPTI" | b"PRI " | b"CONN" => {
            Some("it looks like HTTP, and this listener speaks Kafka's protocol")
        }
        b"SSH-" => Some("it looks like SSH, and this listener speaks Kafka's protocol"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_and_http_are_known_and_a_length_is_nothing() {
        assert!(guess([0x16, 3, 1, 2]).is_some_and(|what| what.contains("TLS")));
        assert!(guess(*b"GET ").is_some_and(|what| what.contains("HTTP")));
        assert_eq!(guess([0x7f, 0xff, 0xff, 0xff]), None);
    }
}
