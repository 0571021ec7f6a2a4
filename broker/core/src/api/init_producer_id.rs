//! Key 22, InitProducerId 0-5: an id for an idempotent producer (KIP-98). There are no transactions yet.
//! Decides who is refused; shard 0 grants ids, each once (#73).

use sawlog_wire::message::Message;
use sawlog_wire::messages::{InitProducerIdRequest, InitProducerIdResponse};
use sawlog_wire::primitives::DecodeError;
use sawlog_wire::{Code, Reader};

use super::job::{Begun, Call, Job as AnyJob};
use crate::answer::{Part, ProducerIdPart};
use crate::ids::{ProducerEpoch, ProducerId, ShardId};

/// Waits for the id.
pub(super) struct Job {
    pub(super) response: InitProducerIdResponse,
    waiting: bool,
}

pub(super) fn split(call: &mut Call<'_, '_>, body: &mut Reader<'_>) -> Result<Begun, DecodeError> {
    let request = InitProducerIdRequest::decode(body, call.version)?;
    let refused = |code: Code| InitProducerIdResponse {
        error_code: code.into(),
        producer_id: -1,
        producer_epoch: -1,
        ..InitProducerIdResponse::default()
    };
    let had = match (request.producer_id, request.producer_epoch) {
        (-1, -1) => Ok(None),
        (-1, _) | (_, -1) => Err(Code::InvalidRequest),
        (id, epoch) => Ok(Some((ProducerId(id), ProducerEpoch(epoch)))),
    };
    let wanted = match (request.transactional_id, had) {
        // Kafka's text for this code sends people to the broker's log, where they find why.
        (Some(id), _) => {
            if !id.is_empty() {
                call.warn.push("InitProducerId with a transactional.id is refused: there are no transactions yet".into());
            }
            Err(Code::InvalidRequest)
        }
        (None, had) => had,
    };
    let job = match wanted {
        Ok(had) => {
            call.ask_shard(ShardId(0), 0, Part::ProducerId(ProducerIdPart { had }));
            Job {
                response: refused(Code::UnknownServerError),
                waiting: true,
            }
        }
        Err(code) => Job {
            response: refused(code),
            waiting: false,
        },
    };
    Ok(Begun::Job(AnyJob::InitProducerId(job)))
}

impl Job {
    pub(super) fn ready(&self) -> bool {
        !self.waiting
    }

    pub(super) fn hear(&mut self, code: Code, id: ProducerId, epoch: ProducerEpoch) {
        self.waiting = false;
        self.response.error_code = code.into();
        if code == Code::None {
            self.response.producer_id = id.0;
            self.response.producer_epoch = epoch.0;
        }
    }
}
