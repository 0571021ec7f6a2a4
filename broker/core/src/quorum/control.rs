//! The quorum's own records: who leads, which protocol it speaks, who votes (KIP-595, KIP-853).
//! Decides what they say; never who is elected.

use alloc::vec::Vec;

use sawlog_wire::control::{
    ControlRecord, Endpoint as WireEndpoint, KRaftVersionFeature, KRaftVersionRecord,
    LeaderChangeMessage, RegisteredVoter, Voter as WireVoter, VotersRecord,
};

use crate::ids::{BrokerId, Endpoint, Uuid};

/// `kraft.version` of every Sawlog quorum: voters live in the log (KIP-853).
pub const KRAFT_VERSION: i16 = 1;

/// A member of the quorum: (id, directory id) is who it is (#37).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Voter {
    /// `node.id`.
    pub id: BrokerId,
    /// Its log directory.
    pub directory: Uuid,
    /// Where the others reach it.
    pub endpoints: Vec<Endpoint>,
}

/// The record that begins a term: its leader, and that all voters granted it (there is one).
pub fn leader_change(leader: BrokerId) -> ControlRecord {
    let voter = WireVoter {
        voter_id: leader.0,
        ..Default::default()
    };
    ControlRecord::LeaderChange(LeaderChangeMessage {
        version: 0,
        leader_id: leader.0,
        voters: Vec::from([voter.clone()]),
        granting_voters: Vec::from([voter]),
        ..Default::default()
    })
}

/// The record that says which protocol the quorum speaks.
pub fn kraft_version() -> ControlRecord {
    ControlRecord::KRaftVersion(KRaftVersionRecord {
        kraft_version: KRAFT_VERSION,
        ..Default::default()
    })
}

/// The record that says who votes.
pub fn voters(voters: &[Voter]) -> ControlRecord {
    let endpoint = |at: &Endpoint| WireEndpoint {
        name: at.listener.clone(),
        host: at.host.clone(),
        port: at.port,
        ..Default::default()
    };
    let voter = |voter: &Voter| RegisteredVoter {
        voter_id: voter.id.0,
        voter_directory_id: voter.directory,
        endpoints: voter.endpoints.iter().map(endpoint).collect(),
        kraft_version_feature: KRaftVersionFeature {
            min_supported_version: 0,
            max_supported_version: KRAFT_VERSION,
            ..Default::default()
        },
        ..Default::default()
    };
    ControlRecord::Voters(VotersRecord {
        voters: voters.iter().map(voter).collect(),
        ..Default::default()
    })
}

/// The voters that a record names.
pub fn named(record: &VotersRecord) -> Vec<Voter> {
    let endpoint = |at: &WireEndpoint| Endpoint {
        listener: at.name.clone(),
        host: at.host.clone(),
        port: at.port,
    };
    let voter = |voter: &RegisteredVoter| Voter {
        id: BrokerId(voter.voter_id),
        directory: voter.voter_directory_id,
        endpoints: voter.endpoints.iter().map(endpoint).collect(),
    };
    record.voters.iter().map(voter).collect()
}
