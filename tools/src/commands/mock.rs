//! `sawlog mock`: a node in memory, for tests in any language. Decides what its words mean: which topics there are, what goes
//! wrong, where it listens; the node is `sawlog_broker::memory`'s, and so is all that it answers.

use std::io::Write as _;
use std::time::Duration;

use sawlog_broker::memory::{ApiKey, Code, Fault, Node};
use sawlog_client::{Client, NewTopic};
use sawlog_core::complaint::Complaint;
use sawlog_core::config;
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::{Exit, Failure};
use crate::options::size;
use crate::stop::Stop;
use crate::when::duration;

/// Run a broker in memory, for tests: nothing is kept, and requests fail as you say.
///
/// It is the broker itself with memory in the place of its disk: what it serves and refuses is what `sawlog broker` does.
/// Topics are made when they are first used. It says one line when it serves, `sawlog mock ready on HOST:PORT`, and ends
/// with exit code 0 on Ctrl-C or SIGTERM, or when --until-eof is given and its standard input ends.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  sawlog mock
  sawlog mock --topic orders:3 --topic payments:1
  sawlog mock --fail Produce=NOT_LEADER_OR_FOLLOWER:2      the first two are refused
  sawlog mock --fail Fetch@orders/0=KAFKA_STORAGE_ERROR    the first that reads orders 0
  sawlog mock --fail Produce=close --fail Produce=lose:3   one is cut off, the answers of three are lost
  sawlog mock --fail 'Metadata=LEADER_NOT_AVAILABLE:*' --latency 200ms

Exit codes: 0 ended as asked, 1 failed, 2 usage.")]
pub(crate) struct Arguments {
    /// Where to listen; port 0 takes one that is free
    #[arg(long, default_value = "127.0.0.1:0", value_parser = address, value_name = "HOST:PORT")]
    listen: String,
    /// Make a topic at the start, with so many partitions
    #[arg(long, value_parser = topic, value_name = "NAME:PARTITIONS")]
    topic: Vec<(String, i32)>,
    /// How many partitions topics have that are made when they are first used
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(i32).range(1..), value_name = "N")]
    partitions: i32,
    /// Have requests go wrong: KEY[@TOPIC[/PARTITION]]=WHAT[:TIMES]
    ///
    /// KEY is a kind of request (Produce). WHAT is an error's name, for a request that is refused; after:NAME for one that is
    /// carried out and says so; close or after:close, which end the connection; lose, which gives no answer; or a time
    /// (200ms), by which the answer is late. TIMES is a number, one if not given, or * for all. Of several for one kind the
    /// first is used up before the next.
    #[allow(
        rustdoc::broken_intra_doc_links,
        reason = "it is shown as help: brackets mark what may be left out"
    )]
    #[arg(long, value_parser = fault, value_name = "FAULT")]
    fail: Vec<Fault>,
    /// Every answer leaves so much later
    #[arg(long, value_parser = duration, default_value = "0ms", value_name = "TIME")]
    latency: Duration,
    /// What all records and files may come to, as on a disk of that size; 64MiB at least
    #[arg(long, value_parser = size, default_value = "256MiB", value_name = "SIZE")]
    memory: usize,
    /// One setting of the broker, for example -X log.retention.ms=60000
    #[arg(short = 'X', value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// End when standard input does: with the program that started it
    #[arg(long)]
    until_eof: bool,
}

/// Runs until it is told to end.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    crate::cluster::wait_for(serve(arguments))
}

async fn serve(arguments: &Arguments) -> Result<Exit, Failure> {
    let other = |error: std::io::Error| Failure::Other(error.into());
    // Before it is ready: who reads that line may end it at once.
    let mut term = signal(SignalKind::terminate()).map_err(other)?;
    let mut stop = Stop::listen()?;
    let mut settings = vec![
        ("listeners", format!("PLAINTEXT://{}", arguments.listen)),
        ("num.partitions", arguments.partitions.to_string()),
    ];
    for pair in &arguments.set {
        let (key, value) = pair.split_once('=').ok_or_else(|| {
            let why = "a setting is KEY=VALUE".to_owned();
            let attempt = "For example -X log.retention.ms=60000";
            Failure::told(Exit::Usage, format!("cannot use -X {pair}"), why, attempt)
        })?;
        settings.push((key.trim(), value.trim().to_owned()));
    }
    let mut node = Node::builder()
        .memory_max(arguments.memory as u64)
        .latency(arguments.latency);
    for (key, value) in &settings {
        node = node.set(key, value);
    }
    let pairs = settings.iter().map(|(key, value)| (*key, value.as_str()));
    if let Some(wrong) = config::broker(pairs)
        .err()
        .and_then(|all| all.into_iter().next())
    {
        return Err(Failure::Told(Exit::Usage, Box::new(wrong)));
    }
    let node = node.start().await.map_err(not_started)?;
    make(&node, &arguments.topic).await?;
    for fault in &arguments.fail {
        node.fail(fault.clone());
    }
    let line = format!("sawlog mock ready on {}\n", node.brokers());
    let mut out = std::io::stdout();
    out.write_all(line.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::writing(&error))?;
    tokio::select! {
        _ = term.recv() => {}
        () = stop.asked() => {}
        () = end_of_input(), if arguments.until_eof => {}
    }
    Ok(Exit::Done)
}

/// Why there is no node. Where it listens is said with a flag of its own here.
fn not_started(mut complaint: Complaint) -> Failure {
    if complaint.what.starts_with("cannot listen on") {
        complaint.attempt =
            "Give another address with --listen HOST:PORT; port 0 takes one that is free"
                .to_owned();
    }
    Failure::Told(Exit::Failed, Box::new(complaint))
}

/// Makes the topics that are to be there from the start, before anything goes wrong.
async fn make(node: &Node, topics: &[(String, i32)]) -> Result<(), Failure> {
    if topics.is_empty() {
        return Ok(());
    }
    let failed = |error| crate::cluster::failure("cannot make the topics", &error);
    let kafka = Client::connect(&node.brokers()).await.map_err(failed)?;
    let new = topics
        .iter()
        .map(|(name, partitions)| NewTopic::new(name).partitions(*partitions));
    for (name, made) in kafka.create_topics(new.collect()).await.map_err(failed)? {
        made.map_err(|error| crate::cluster::failure(&format!("cannot make {name}"), &error))?;
    }
    Ok(())
}

/// Returns when nothing more comes in. A thread of its own reads: it ends with the process.
async fn end_of_input() {
    let (ended, end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // An input that cannot be read has ended.
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _ = ended.send(());
    });
    let _ = end.await;
}

fn address(text: &str) -> Result<String, String> {
    let is_one = |(host, port): (&str, &str)| !host.is_empty() && port.parse::<u16>().is_ok();
    match text.rsplit_once(':').is_some_and(is_one) {
        true => Ok(text.to_owned()),
        false => Err("an address is HOST:PORT, and a port is a number up to 65535".to_owned()),
    }
}

fn topic(text: &str) -> Result<(String, i32), String> {
    let (name, partitions) = text.rsplit_once(':').unwrap_or((text, "1"));
    match partitions.parse() {
        Ok(partitions) if partitions > 0 && !name.is_empty() => Ok((name.to_owned(), partitions)),
        _ => Err("a topic is NAME or NAME:PARTITIONS, for example orders:3".to_owned()),
    }
}

fn fault(text: &str) -> Result<Fault, String> {
    let (whom, what) = text
        .split_once('=')
        .ok_or("a fault is KEY=WHAT, for example Produce=NOT_LEADER_OR_FOLLOWER:2")?;
    let (key, place) = match whom.split_once('@') {
        Some((key, place)) => (key, Some(place)),
        None => (whom, None),
    };
    let named = |api: &&ApiKey| api.name().eq_ignore_ascii_case(key);
    let api = ApiKey::ALL.iter().find(named);
    let api = api.ok_or_else(|| {
        format!("{key:?} is no kind of request; `sawlog api versions` lists them")
    })?;
    let mut requests = Fault::on(*api);
    requests = match place.map(|place| place.split_once('/').ok_or(place)) {
        None => requests,
        Some(Err(topic)) => requests.topic(topic),
        Some(Ok((topic, partition))) => {
            let number = partition.parse();
            let number = number.map_err(|_| format!("{partition:?} is no partition's number"))?;
            requests.partition(topic, number)
        }
    };
    let (after, what) = match what.strip_prefix("after:") {
        Some(what) => (true, what),
        None => (false, what),
    };
    let (what, times) = what.split_once(':').unwrap_or((what, "1"));
    let fault = match (what, after) {
        ("close", false) => requests.closed(),
        ("close", true) => requests.applied_closed(),
        ("lose", _) => requests.lost(),
        (what, after) => match (duration(what), code(what), after) {
            (Ok(late), _, false) => requests.late(late),
            (_, Some(code), false) => requests.with(code),
            (_, Some(code), true) => requests.applied_with(code),
            _ => {
                return Err(format!(
                    "{what:?} is no error of Kafka's, nor close, lose or a time"
                ));
            }
        },
    };
    match times {
        "*" => Ok(fault.always()),
        number => match number.parse() {
            Ok(times) => Ok(fault.times(times)),
            Err(_) => Err(format!("{number:?} is no number of times, nor *")),
        },
    }
}

/// An error by its name, or its number.
fn code(text: &str) -> Option<Code> {
    let named = |code: &&Code| code.name().eq_ignore_ascii_case(text);
    let code = Code::ALL.iter().find(named).copied();
    code.or_else(|| Code::from_number(text.parse().ok()?))
        .filter(|code| *code != Code::None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_what_they_say() {
        for (text, said) in [
            (
                "Produce=NOT_LEADER_OR_FOLLOWER:2",
                "act: Refuse(NotLeaderOrFollower), delay: 0ns, times: Some(2)",
            ),
            (
                "produce=6",
                "act: Refuse(NotLeaderOrFollower), delay: 0ns, times: Some(1)",
            ),
            (
                "Fetch@orders/3=after:KAFKA_STORAGE_ERROR:*",
                "act: Misreport(KafkaStorageError), delay: 0ns, times: None",
            ),
            ("Fetch=close", "act: Close, delay: 0ns, times: Some(1)"),
            (
                "Fetch=after:close:3",
                "act: CloseApplied, delay: 0ns, times: Some(3)",
            ),
            ("Fetch@orders=lose", "act: Lose, delay: 0ns, times: Some(1)"),
            ("Metadata=200ms:*", "act: Delay, delay: 200ms, times: None"),
        ] {
            let shown = format!("{:?}", fault(text).unwrap());
            assert!(shown.contains(said), "{text}: {shown}");
        }
        let narrow = format!("{:?}", fault("Fetch@a/b/3=close"));
        assert!(narrow.contains("is no partition"), "{narrow}");
        let narrow = format!("{:?}", fault("Fetch@orders/3=close").unwrap());
        assert!(
            narrow.contains("topic: Some(\"orders\"), partition: Some(3)"),
            "{narrow}"
        );
    }

    #[test]
    fn what_means_nothing_is_refused_and_named() {
        for (text, said) in [
            ("Produce", "KEY=WHAT"),
            ("Product=close", "\"Product\" is no kind of request"),
            ("Produce=NOT_LEADER", "\"NOT_LEADER\" is no error"),
            ("Produce=NONE", "\"NONE\" is no error"),
            ("Produce=close:often", "\"often\" is no number"),
            ("Produce=after:5s", "\"5s\" is no error"),
        ] {
            let why = fault(text).unwrap_err();
            assert!(why.contains(said), "{text}: {why}");
        }
        assert!(
            duration("5").is_err()
                && duration("ms").is_err()
                && duration("9999999999999999999h").is_err()
        );
        assert!(topic("orders:0").is_err() && topic(":1").is_err() && topic("a:b").is_err());
        assert_eq!(topic("a:b:2"), Ok(("a:b".to_owned(), 2)));
        assert_eq!(topic("a"), Ok(("a".to_owned(), 1)));
    }
}
