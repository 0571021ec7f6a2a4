//! Key 60, DescribeCluster 0-2 (KIP-700, KIP-919, KIP-1073): the cluster's id, its controller, its brokers.
//! Decides nothing of its own: it reads the image, as Metadata does.

use alloc::boxed::Box;
use alloc::string::ToString;

use sawlog_wire::message::Message;
use sawlog_wire::messages::describe_cluster::DescribeClusterBroker;
use sawlog_wire::messages::{DescribeClusterRequest, DescribeClusterResponse};
use sawlog_wire::primitives::DecodeError;
use sawlog_wire::{Code, Reader};

use super::job::{Begun, Call, Job};
use super::metadata::CLUSTER_OPERATIONS;
use super::{hints, table::Audience};

/// What kind of endpoints is asked for.
const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

pub(super) fn split(call: &mut Call<'_, '_>, body: &mut Reader<'_>) -> Result<Begun, DecodeError> {
    let request = DescribeClusterRequest::decode(body, call.version)?;
    let response = match (request.endpoint_type, call.audience) {
        (BROKERS, Audience::Clients) | (CONTROLLERS, Audience::Controllers) => told(call, &request),
        (CONTROLLERS, Audience::Clients) | (BROKERS, Audience::Controllers) => {
            let text = "endpoints of this kind are asked for on a listener of their own";
            refused(request.endpoint_type, Code::MismatchedEndpointType, text)
        }
        (other, _) => {
            let code = Code::UnsupportedEndpointType;
            refused(other, code, "there are brokers (1) and controllers (2)")
        }
    };
    Ok(Begun::Job(Job::DescribeCluster(Box::new(response))))
}

fn refused(endpoint_type: i8, code: Code, text: &str) -> DescribeClusterResponse {
    DescribeClusterResponse {
        error_code: code.into(),
        error_message: Some(text.to_string()),
        endpoint_type,
        ..DescribeClusterResponse::default()
    }
}

fn told(call: &Call<'_, '_>, request: &DescribeClusterRequest) -> DescribeClusterResponse {
    let image = call.host.image;
    let brokers = image.brokers.keys().filter_map(|id| {
        let (endpoint, broker) = hints::endpoint(image, call.door, *id)?;
        Some(DescribeClusterBroker {
            broker_id: id.0,
            host: endpoint.host.clone(),
            port: i32::from(endpoint.port),
            rack: broker.rack.clone(),
            ..DescribeClusterBroker::default()
        })
    });
    let controllers = image.controllers.iter().filter_map(|(id, controller)| {
        let mut endpoints = controller.endpoints.iter();
        let registered = endpoints.find(|at| at.listener == call.door.listener)?;
        let reached = call.door.reached.as_ref();
        let reached = reached.filter(|_| *id == image.node.node_id);
        let endpoint = reached.unwrap_or(registered);
        Some(DescribeClusterBroker {
            broker_id: id.0,
            host: endpoint.host.clone(),
            port: i32::from(endpoint.port),
            ..DescribeClusterBroker::default()
        })
    });
    let brokers: alloc::vec::Vec<_> = match call.audience {
        Audience::Clients => brokers.collect(),
        Audience::Controllers => controllers.collect(),
    };
    let controller = image
        .controller
        .map(|id| id.0)
        .filter(|id| brokers.iter().any(|broker| broker.broker_id == *id));
    DescribeClusterResponse {
        cluster_id: image.cluster.to_string(),
        controller_id: controller
            .or_else(|| brokers.first().map(|broker| broker.broker_id))
            .unwrap_or(-1),
        brokers,
        endpoint_type: request.endpoint_type,
        cluster_authorized_operations: if request.include_cluster_authorized_operations {
            CLUSTER_OPERATIONS
        } else {
            i32::MIN
        },
        ..DescribeClusterResponse::default()
    }
}
