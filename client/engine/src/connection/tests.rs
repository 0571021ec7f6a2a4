//! Stories of a connection, told with frames made by hand: no socket, no clock.
//! Held by the frames that go out and by what each ticket is told; sockets are held in `sawlog-client`.

use sawlog_wire::RequestHeader;
use sawlog_wire::messages::api_versions::ApiVersion;
use sawlog_wire::messages::{MetadataRequest, MetadataResponse};

use super::*;

const START: Mono = Mono(1_000_000);

/// Key, version and number of the next frame to be sent.
fn sent(connection: &mut Connection) -> Option<(ApiKey, i16, i32)> {
    let frame = connection.outgoing()?.into_bytes();
    let prefix = *frame.first_chunk().unwrap();
    assert_eq!(
        frame::length(prefix, 1 << 20),
        Ok(frame.len() - frame::PREFIX)
    );
    let header = RequestHeader::decode(&mut Reader::new(&frame[frame::PREFIX..])).unwrap();
    Some((
        header.api_key().unwrap(),
        header.version,
        header.correlation_id,
    ))
}

fn answer<M: Message>(key: ApiKey, version: i16, number: i32, body: &M) -> Bytes {
    let mut writer = Writer::new();
    frame::response(&mut writer, key, version, number, body).unwrap();
    writer.finish().into_bytes().slice(frame::PREFIX..)
}

fn serving(highest: i16, code: Code) -> ApiVersionsResponse {
    let api = |key: ApiKey, to| ApiVersion {
        api_key: key.number(),
        min_version: 0,
        max_version: to,
        ..Default::default()
    };
    ApiVersionsResponse {
        error_code: code.into(),
        api_keys: vec![api(ApiKey::ApiVersions, highest), api(ApiKey::Metadata, 9)],
        ..Default::default()
    }
}

fn ready() -> Connection {
    let settings = Settings {
        in_flight: 2,
        ..Settings::default()
    };
    let mut connection = Connection::open(settings, START);
    let (key, version, number) = sent(&mut connection).unwrap();
    let came = answer(key, version, number, &serving(4, Code::None));
    assert_eq!(connection.arrived(&came, START), Ok(Arrived::Ready));
    connection
}

fn ask(connection: &mut Connection) -> Result<Ticket, Refusal> {
    connection.request(&MetadataRequest::default(), i16::MAX, START)
}

#[test]
fn the_first_frame_asks_for_versions_and_nothing_else_is_taken_before_its_answer() {
    let mut connection = Connection::open(Settings::default(), START);
    assert_eq!(ask(&mut connection), Err(Refusal::NotReady));
    let (key, version, _) = sent(&mut connection).unwrap();
    assert_eq!(
        (key, version),
        (ApiKey::ApiVersions, ApiVersionsRequest::STABLE)
    );
    assert_eq!(sent(&mut connection), None);
}

#[test]
fn an_older_broker_is_asked_again_in_its_own_version_kip_511() {
    let mut connection = Connection::open(Settings::default(), START);
    let (key, _, number) = sent(&mut connection).unwrap();
    let came = answer(key, 0, number, &serving(2, Code::UnsupportedVersion));
    assert_eq!(connection.arrived(&came, START), Ok(Arrived::AskedAgain));
    let (key, version, number) = sent(&mut connection).unwrap();
    assert_eq!(version, 2);
    let came = answer(key, 2, number, &serving(2, Code::None));
    assert_eq!(connection.arrived(&came, START), Ok(Arrived::Ready));
}

#[test]
fn requests_are_spoken_in_a_version_of_both_and_answered_in_order() {
    let mut connection = ready();
    let tickets = [ask(&mut connection).unwrap(), ask(&mut connection).unwrap()];
    assert_eq!(ask(&mut connection), Err(Refusal::Full));
    for ticket in tickets {
        let (key, version, number) = sent(&mut connection).unwrap();
        assert_eq!((key, version), (ApiKey::Metadata, 9));
        let came = answer(key, version, number, &MetadataResponse::default());
        match connection.arrived(&came, START).unwrap() {
            Arrived::Answer {
                ticket: of,
                version: 9,
                body,
            } => {
                assert_eq!(of, ticket);
                assert_eq!(
                    MetadataResponse::decode_all(Reader::of(&body), 9),
                    Ok(MetadataResponse::default())
                );
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(ask(&mut connection).is_ok(), "there is room again");
}

#[test]
fn an_answer_out_of_order_breaks_the_connection_and_nothing_is_taken_after_it() {
    let mut connection = ready();
    let tickets = [ask(&mut connection).unwrap(), ask(&mut connection).unwrap()];
    let (_, _, first) = sent(&mut connection).unwrap();
    let (key, version, second) = sent(&mut connection).unwrap();
    let came = answer(key, version, second, &MetadataResponse::default());
    assert_eq!(
        connection.arrived(&came, START),
        Err(Broken::Order {
            due: Some(first),
            came: second
        })
    );
    assert_eq!(ask(&mut connection), Err(Refusal::NotReady));
    assert_eq!(
        connection.lost(),
        tickets.map(|ticket| (ticket, Outcome::Unknown))
    );
}

#[test]
fn an_answer_to_what_was_never_handed_out_is_none() {
    let mut connection = ready();
    ask(&mut connection).unwrap();
    let came = answer(ApiKey::Metadata, 9, 2, &MetadataResponse::default());
    assert_eq!(
        connection.arrived(&came, START),
        Err(Broken::Order { due: None, came: 2 })
    );
}

#[test]
fn a_late_answer_ends_the_connection_at_its_deadline_and_not_before() {
    let mut connection = ready();
    assert_eq!(connection.deadline(), None);
    ask(&mut connection).unwrap();
    let deadline = connection.deadline().unwrap();
    assert_eq!(deadline, START.after(Duration::from_secs(30)));
    assert_eq!(connection.tick(Mono(deadline.0 - 1)), Ok(()));
    assert_eq!(
        connection.tick(deadline),
        Err(Broken::Late(ApiKey::Metadata))
    );
}

#[test]
fn the_end_tells_not_written_from_unknown() {
    let mut connection = ready();
    let (one, two) = (ask(&mut connection).unwrap(), ask(&mut connection).unwrap());
    sent(&mut connection).unwrap();
    assert_eq!(
        connection.lost(),
        [(one, Outcome::Unknown), (two, Outcome::NotWritten)]
    );
    assert_eq!(
        sent(&mut connection),
        None,
        "a lost connection sends nothing"
    );
}

#[test]
fn no_bytes_of_a_broker_make_it_panic() {
    let whole = answer(ApiKey::ApiVersions, 4, 1, &serving(4, Code::None));
    for len in 0..whole.len() {
        for flip in [0, 0x80] {
            let mut connection = Connection::open(Settings::default(), START);
            sent(&mut connection).unwrap();
            let mut bytes = whole[..len].to_vec();
            if let Some(last) = bytes.last_mut() {
                *last ^= flip;
            }
            let came = connection.arrived(&Bytes::from(bytes), START);
            assert!(
                came.is_err() || flip != 0 || len > 12,
                "{len} bytes were taken for {came:?}"
            );
        }
    }
}
