//! Key 18, ApiVersions 0-5: which keys, versions and features there are (KIP-35, KIP-511, KIP-584, KIP-1242).
//! Decides what a client is told first; the ranges themselves are rows of `table`. Gotchas 1, 2 and 3.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use sawlog_wire::message::Message;
use sawlog_wire::messages::api_versions::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use sawlog_wire::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse};
use sawlog_wire::primitives::DecodeError;
use sawlog_wire::{Code, Reader};

use super::job::{Begun, Call, Job};
use super::table::{ROWS, Row};
use crate::cluster::features::SUPPORTED;
use crate::quorum::control;

/// Features whose least level is 0 are told from this version on: older readers fail on them (KAFKA-17011).
const LEVEL_ZERO_FROM: i16 = 4;

pub(super) fn split(call: &mut Call<'_, '_>, body: &mut Reader<'_>) -> Result<Begun, DecodeError> {
    let request = ApiVersionsRequest::decode(body, call.version)?;
    Ok(Begun::Job(Job::ApiVersions(Box::new(answer(
        call, &request,
    )))))
}

fn answer(call: &mut Call<'_, '_>, request: &ApiVersionsRequest) -> ApiVersionsResponse {
    let (name, version) = (
        &request.client_software_name,
        &request.client_software_version,
    );
    if call.version >= 3 {
        if !legal(name) || !legal(version) {
            return failed(Code::InvalidRequest);
        }
        *call.software = Some(format!("{name} {version}").into_boxed_str());
    }
    // KIP-1242: the client believes to talk to another node or cluster: its addresses have been given to someone else.
    let (image, config) = (call.host.image, call.host.config);
    let elsewhere = request
        .cluster_id
        .as_deref()
        .is_some_and(|id| *id != *image.cluster);
    if elsewhere || (request.node_id != -1 && request.node_id != config.node_id.0) {
        return failed(Code::RebootstrapRequired);
    }
    let supported = SUPPORTED
        .iter()
        .filter(|(_, least, _)| *least > 0 || call.version >= LEVEL_ZERO_FROM);
    // The level of the quorum itself is no FeatureLevel record; Kafka tells it among them all the same.
    let quorum = ("kraft.version", control::KRAFT_VERSION);
    let recorded = image.features.iter().map(|(name, level)| (&**name, *level));
    let finalized = core::iter::once(quorum).chain(recorded.filter(|(_, level)| *level > 0));
    ApiVersionsResponse {
        api_keys: ROWS
            .iter()
            .filter(|row| row.audiences.contains(&call.audience))
            .map(listed)
            .collect(),
        supported_features: supported
            .map(|&(name, min_version, max_version)| SupportedFeatureKey {
                name: name.to_owned(),
                min_version,
                max_version,
                ..SupportedFeatureKey::default()
            })
            .collect(),
        finalized_features_epoch: image.offset.0,
        finalized_features: finalized
            .map(|(name, level)| FinalizedFeatureKey {
                name: name.to_owned(),
                max_version_level: level,
                min_version_level: level,
                ..FinalizedFeatureKey::default()
            })
            .collect::<Vec<_>>(),
        ..ApiVersionsResponse::default()
    }
}

/// The answer to a version that nobody knows, to be written in version 0: the range of this key alone.
pub(super) fn unknown_version() -> ApiVersionsResponse {
    let own = ROWS
        .iter()
        .filter(|row| row.key == ApiKey::ApiVersions)
        .map(listed)
        .collect();
    ApiVersionsResponse {
        api_keys: own,
        ..failed(Code::UnsupportedVersion)
    }
}

fn failed(code: Code) -> ApiVersionsResponse {
    ApiVersionsResponse {
        error_code: code.into(),
        api_keys: vec![],
        ..ApiVersionsResponse::default()
    }
}

fn listed(row: &Row) -> ApiVersion {
    ApiVersion {
        api_key: row.key.number(),
        min_version: row.listed.from,
        max_version: row.listed.to,
        ..ApiVersion::default()
    }
}

/// KIP-511: letters, digits, `-` and `.`, a letter or digit first and last.
fn legal(text: &str) -> bool {
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-' || *byte == b'.';
    let ends = [text.bytes().next(), text.bytes().next_back()];
    ends.iter()
        .all(|byte| byte.is_some_and(|byte| byte.is_ascii_alphanumeric()))
        && text.as_bytes().iter().all(inner)
}
