//! Consumer and producer as the ecosystem's traits: messages as a `Stream`, records into a `Sink`. Decides only how waiting
//! becomes polling; what is read, sent and told is the affair of `consumer` and `producer`.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_sink::Sink;

use crate::consumer::{Batch, Consumer};
use crate::error::{Error, Kind};
use crate::producer::{Producer, SendError, Ticket};
use crate::record::{Message, Record};

/// Messages one by one: [`Consumer::into_stream`]. It ends where every partition was read up to its end; after an error
/// the other partitions go on.
#[derive(Debug)]
pub struct Messages {
    consumer: Consumer,
    batch: std::vec::IntoIter<Message>,
}

impl Consumer {
    /// The messages of all partitions, each in the order of its partition.
    pub fn into_stream(self) -> Messages {
        Messages {
            consumer: self,
            batch: Vec::new().into_iter(),
        }
    }
}

impl Stream for Messages {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(message) = self.batch.next() {
                return Poll::Ready(Some(Ok(message)));
            }
            match ready!(self.consumer.poll_batch(context)) {
                // There may be none in it.
                Some(Ok(Batch { messages, .. })) => self.batch = messages.into_iter(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

/// In a mutex that is never locked: what is in it may be sent to another thread, and not shared with one.
type Entering = Mutex<Pin<Box<dyn Future<Output = Result<Ticket, Box<SendError>>> + Send>>>;

/// Where records go one by one: [`Producer::into_sink`]. Ready means room for one more; flushed means that each record was
/// written. A record that was not comes back as the error of the call that learns of it, and the sink goes on with the
/// others: each record is told of once.
pub struct Records {
    producer: Producer,
    /// One that waits for room.
    entering: Option<Entering>,
    tickets: VecDeque<Ticket>,
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records")
            .field("producer", &self.producer)
            .field("tickets", &self.tickets.len())
            .finish_non_exhaustive()
    }
}

impl Producer {
    /// A sink of records. Other handles of the producer go on beside it.
    pub fn into_sink(self) -> Records {
        Records {
            producer: self,
            entering: None,
            tickets: VecDeque::new(),
        }
    }
}

impl Records {
    /// Until nothing waits for room.
    fn enter(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Box<SendError>>> {
        let Some(entering) = &mut self.entering else {
            return Poll::Ready(Ok(()));
        };
        let entered = ready!(
            entering
                .get_mut()
                .unwrap_or_else(PoisonError::into_inner)
                .as_mut()
                .poll(context)
        );
        self.entering = None;
        Poll::Ready(entered.map(|ticket| self.tickets.push_back(ticket)))
    }

    /// The answers that have come, without waiting for more.
    fn hear(&mut self) -> Result<(), Box<SendError>> {
        while let Some(answer) = self.tickets.front().and_then(Ticket::answer) {
            self.tickets.pop_front();
            answer?;
        }
        Ok(())
    }
}

impl Sink<Record> for Records {
    type Error = Box<SendError>;

    fn poll_ready(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Self::Error>> {
        self.hear()?;
        self.enter(context)
    }

    fn start_send(mut self: Pin<&mut Self>, record: Record) -> Result<(), Self::Error> {
        match self.producer.try_enqueue(record) {
            Ok(ticket) => self.tickets.push_back(ticket),
            Err(unsent) if unsent.error.kind() == Kind::Full => {
                let producer = self.producer.clone();
                let record = unsent.record;
                self.entering = Some(Mutex::new(Box::pin(async move {
                    producer.enqueue(record).await
                })));
            }
            Err(unsent) => return Err(unsent),
        }
        Ok(())
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Self::Error>> {
        ready!(self.enter(context))?;
        if !self.tickets.is_empty() {
            self.producer.hurry();
        }
        while let Some(ticket) = self.tickets.front_mut() {
            let answer = ready!(Pin::new(ticket).poll(context));
            self.tickets.pop_front();
            answer?;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_close(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Self::Error>> {
        self.poll_flush(context)
    }
}
