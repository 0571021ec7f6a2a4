//! The task behind a producer: gives the engine's machine time and answers, carries its requests to the brokers in their
//! order, and asks what it wants to know. Decides nothing about records; a task for each broker keeps one from waiting for
//! another.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sawlog_engine::backoff::Backoff;
use sawlog_engine::connection::Outcome;
use sawlog_engine::metadata::BrokerId;
use sawlog_engine::produce::{Acks, Answer, Done, Identity, RequestId, Send};
use sawlog_engine::time::Mono;
use sawlog_wire::messages::produce::{PartitionProduceData, TopicProduceData};
use sawlog_wire::messages::{InitProducerIdRequest, ProduceRequest, ProduceResponse};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep, sleep_until};

use crate::client::{Client, Lane, roll};
use crate::conn::Coming;
use crate::error::Error;
use crate::producer::{Shared, Slot};

/// The latest version that names topics, not ids.
const BY_NAME: i16 = 12;

/// What comes back to the driver.
enum Came {
    Answer(RequestId, ProduceResponse),
    Told(RequestId),
    Lost(RequestId, Outcome),
    /// The metadata was asked for.
    Known,
    Granted(Identity),
    /// It was not: to be asked again.
    NotGranted,
}

pub(crate) fn now(began: Instant) -> Mono {
    Mono::default().after(began.elapsed())
}

/// Until the last handle is gone and everything is decided.
pub(crate) async fn run(shared: Arc<Shared>) {
    let (to, mut from) = unbounded_channel();
    let mut brokers: HashMap<BrokerId, UnboundedSender<Send>> = HashMap::new();
    let (mut metadata, mut identity) = (Question::default(), Question::default());
    let acks = shared.lock().machine.settings().acks;
    loop {
        let Looked {
            sends,
            done,
            deadline,
            topics,
            wants_identity,
            over,
        } = look(&shared);
        shared.settle(done);
        if over {
            return;
        }
        for send in sends {
            let broker = send.broker;
            let line = brokers.entry(broker).or_insert_with(|| {
                let (line, requests) = unbounded_channel();
                tokio::spawn(carry(
                    shared.client.clone(),
                    broker,
                    acks,
                    requests,
                    to.clone(),
                ));
                line
            });
            // Its task ends with us.
            let _ = line.send(send);
        }
        if !topics.is_empty()
            && let Some(wait) = metadata.ask()
        {
            tokio::spawn(ask_metadata(shared.clone(), topics, wait, to.clone()));
        }
        if wants_identity && let Some(wait) = identity.ask() {
            tokio::spawn(ask_identity(shared.client.clone(), wait, to.clone()));
        }
        let wake = deadline.map_or(shared.began, |at| shared.began + at.since(Mono::default()));
        let came = tokio::select! {
            came = from.recv() => came,
            () = shared.kick.notified() => None,
            () = sleep_until(wake), if deadline.is_some() => None,
        };
        let mut next = came;
        while let Some(came) = next {
            match &came {
                Came::Known => metadata.open = false,
                Came::Granted(_) | Came::NotGranted => identity.open = false,
                Came::Answer(..) => (metadata.again, identity.again) = (None, None),
                Came::Told(_) | Came::Lost(..) => {}
            }
            take_in(&shared, came);
            next = from.try_recv().ok();
        }
    }
}

/// What the machine wishes.
struct Looked {
    sends: Vec<Send>,
    done: Vec<Done<Arc<Slot>>>,
    deadline: Option<Mono>,
    topics: Vec<String>,
    wants_identity: bool,
    over: bool,
}

fn look(shared: &Shared) -> Looked {
    let at = now(shared.began);
    let mut state = shared.lock();
    Looked {
        sends: state.machine.poll(at),
        done: state.machine.done(),
        deadline: state.machine.deadline(at),
        topics: state.machine.wants_metadata(),
        wants_identity: state.machine.wants_identity(),
        over: state.closing && state.machine.undecided() == 0,
    }
}

/// Something that is asked one at a time: at once when all goes well, else after waits that grow.
#[derive(Default)]
struct Question {
    open: bool,
    /// It was asked, and no record was answered since.
    again: Option<Backoff>,
}

impl Question {
    /// How long to wait before asking; `None` while it is being asked.
    fn ask(&mut self) -> Option<Duration> {
        if self.open {
            return None;
        }
        self.open = true;
        match &mut self.again {
            Some(backoff) => Some(backoff.failed(roll())),
            None => {
                self.again = Some(Backoff::default());
                Some(Duration::ZERO)
            }
        }
    }
}

fn take_in(shared: &Shared, came: Came) {
    let at = now(shared.began);
    let mut state = shared.lock();
    let roll = state.roll();
    match came {
        Came::Answer(request, answer) => {
            let mut answers = Vec::new();
            for topic in &answer.responses {
                answers.extend(topic.partition_responses.iter().map(|part| Answer {
                    topic: &topic.name,
                    partition: part.index,
                    code: part.error_code,
                    base_offset: part.base_offset,
                    log_append_time: part.log_append_time_ms,
                    message: part.error_message.as_deref(),
                    records: &part.record_errors,
                }));
            }
            state.machine.answered(request, &answers, at, roll);
        }
        Came::Told(request) => state.machine.told(request, at),
        Came::Lost(request, outcome) => state.machine.lost(request, outcome, at, roll),
        Came::Granted(identity) => state.machine.granted(identity),
        Came::Known | Came::NotGranted => {}
    }
}

async fn ask_metadata(
    shared: Arc<Shared>,
    topics: Vec<String>,
    wait: Duration,
    to: UnboundedSender<Came>,
) {
    sleep(wait).await;
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    // What it cannot learn now is wanted still.
    if let Ok(known) = shared.client.metadata(Some(&names)).await {
        shared.lock().machine.learn(&known);
    }
    let _ = to.send(Came::Known);
}

async fn ask_identity(client: Client, wait: Duration, to: UnboundedSender<Came>) {
    sleep(wait).await;
    let request = InitProducerIdRequest {
        transaction_timeout_ms: i32::MAX,
        ..Default::default()
    };
    let asked = async { client.any().await?.ask(request, i16::MAX).await }.await;
    let came = match asked {
        Ok(answer) if answer.error_code.is_none() => Came::Granted(Identity {
            id: answer.producer_id,
            epoch: answer.producer_epoch,
        }),
        Ok(_) | Err(_) => Came::NotGranted,
    };
    let _ = to.send(came);
}

/// The requests to one broker, in their order.
async fn carry(
    client: Client,
    broker: BrokerId,
    acks: Acks,
    mut requests: UnboundedReceiver<Send>,
    to: UnboundedSender<Came>,
) {
    while let Some(send) = requests.recv().await {
        let request = send.request;
        let started = async {
            let conn = client.broker(broker, Lane::Produce).await?;
            let body = body(send, acks, client.request_timeout());
            match acks {
                Acks::None => conn.tell(body, BY_NAME).await,
                Acks::Leader | Acks::All => conn.start(body, BY_NAME).await,
            }
        };
        match started.await {
            Ok(coming) => {
                tokio::spawn(answer(request, acks, coming, to.clone()));
            }
            Err(error) => {
                let _ = to.send(Came::Lost(request, error.outcome()));
            }
        }
    }
}

async fn answer(request: RequestId, acks: Acks, coming: Coming, to: UnboundedSender<Came>) {
    let lost = |error: Error| Came::Lost(request, error.outcome());
    let came = match acks {
        Acks::None => coming
            .sent()
            .await
            .map_or_else(lost, |()| Came::Told(request)),
        Acks::Leader | Acks::All => {
            let read = coming.read::<ProduceRequest>().await;
            read.map_or_else(lost, |answer| Came::Answer(request, answer))
        }
    };
    let _ = to.send(came);
}

fn body(mut send: Send, acks: Acks, limit: Duration) -> ProduceRequest {
    send.parts.sort_by(|one, other| one.topic.cmp(&other.topic));
    let mut topics: Vec<TopicProduceData> = Vec::new();
    for part in send.parts {
        let data = PartitionProduceData {
            index: part.partition,
            records: Some(part.batch.into()),
            ..Default::default()
        };
        match topics.last_mut().filter(|topic| *topic.name == *part.topic) {
            Some(topic) => topic.partition_data.push(data),
            None => topics.push(TopicProduceData {
                name: String::from(&*part.topic),
                partition_data: vec![data],
                ..Default::default()
            }),
        }
    }
    ProduceRequest {
        acks: acks.number(),
        timeout_ms: i32::try_from(limit.as_millis()).unwrap_or(i32::MAX),
        topic_data: topics,
        ..Default::default()
    }
}
