//! Records of the metadata log as Kafka's tools print them: one JSON object, field by field, by the printed layout.
//! Decides names and order; the bytes are read by nothing but the layout, so every kind of record is covered.

use sawlog_wire::layout::Layout;
use sawlog_wire::message::Message;
use sawlog_wire::metadata::{self, MetadataRecord};
use sawlog_wire::primitives::{At, Type};
use sawlog_wire::records::ControlKind;
use sawlog_wire::{DecodeError, Reader, Uuid, control};
use serde_json::{Map, Value, json};

use crate::text::base64;

/// A record of the cluster's metadata, with its type and version.
pub(crate) fn metadata(value: &[u8]) -> Result<Value, DecodeError> {
    let record = MetadataRecord::decode(Reader::new(value))?;
    let mut reader = Reader::new(value);
    let (_, version) = metadata::decode_frame(&mut reader)?;
    let (layout, at) = record.form(version);
    let data = structure(layout, &mut reader, at)?;
    Ok(json!({"type": screaming(record.name()), "version": version, "data": data}))
}

/// A control record: the name of its kind, and what it says.
pub(crate) fn control(
    kind: ControlKind,
    value: &[u8],
) -> Result<(&'static str, Value), DecodeError> {
    let of = |name, layout, at| Ok((name, structure(layout, &mut Reader::new(value), at)?));
    match kind {
        ControlKind::Abort | ControlKind::Commit => {
            let name = if kind == ControlKind::Commit {
                "COMMIT"
            } else {
                "ABORT"
            };
            let marker =
                sawlog_wire::records::EndMarker::of_value(value).ok_or(DecodeError::Truncated)?;
            Ok((
                "endTxnMarker",
                json!({"type": name, "coordinatorEpoch": marker.coordinator_epoch}),
            ))
        }
        ControlKind::LeaderChange => {
            let version = Reader::new(value)
                .i16()?
                .min(control::LeaderChangeMessage::VERSIONS.to);
            of(
                "LeaderChange",
                control::LeaderChangeMessage::LAYOUT,
                control::LeaderChangeMessage::at(version),
            )
        }
        ControlKind::SnapshotHeader => of(
            "SnapshotHeader",
            control::SnapshotHeaderRecord::LAYOUT,
            control::SnapshotHeaderRecord::at(0),
        ),
        ControlKind::SnapshotFooter => of(
            "SnapshotFooter",
            control::SnapshotFooterRecord::LAYOUT,
            control::SnapshotFooterRecord::at(0),
        ),
        ControlKind::KRaftVersion => of(
            "KRaftVersion",
            control::KRaftVersionRecord::LAYOUT,
            control::KRaftVersionRecord::at(0),
        ),
        ControlKind::KRaftVoters => of(
            "KRaftVoters",
            control::VotersRecord::LAYOUT,
            control::VotersRecord::at(0),
        ),
    }
}

/// `TopicRecord` as `TOPIC_RECORD`.
fn screaming(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_uppercase());
    }
    text
}

/// `topic_id` as `topicId`.
fn camel(name: &str) -> String {
    let name = name.trim_start_matches("r#");
    let mut text = String::new();
    let mut up = false;
    for letter in name.chars() {
        match letter {
            '_' => up = true,
            _ if up => {
                text.push(letter.to_ascii_uppercase());
                up = false;
            }
            _ => text.push(letter),
        }
    }
    // The one name that Kafka spells otherwise.
    match text.strip_prefix("kraft") {
        Some(rest) => format!("kRaft{rest}"),
        None => text,
    }
}

fn structure(layout: &Layout, reader: &mut Reader<'_>, at: At) -> Result<Value, DecodeError> {
    let mut fields = Map::new();
    let carried = || {
        layout
            .rows
            .iter()
            .filter(|row| row.rules.carried.contains(at.version))
    };
    for row in carried().filter(|row| row.rules.tag.is_none()) {
        let nullable = row.rules.nullable.contains(at.version);
        fields.insert(camel(row.name), value(&row.kind, nullable, reader, at)?);
    }
    if at.flexible {
        for _ in 0..reader.uvarint()? {
            let (number, length) = (reader.uvarint()?, reader.uvarint()? as usize);
            let Some(row) = carried().find(|row| row.rules.tag == Some(number)) else {
                reader.take(length)?;
                continue;
            };
            let nullable = row.rules.nullable.contains(at.version);
            let value = reader.within(length, |inner| match &row.kind {
                // In a tag its presence is said otherwise than before a field in line.
                Type::Struct(layout) if nullable => match inner.tagged_presence()? {
                    true => structure(layout, inner, at),
                    false => Ok(Value::Null),
                },
                kind => value(kind, nullable, inner, at),
            })?;
            fields.insert(camel(row.name), value);
        }
    }
    Ok(Value::Object(fields))
}

fn value(
    kind: &Type,
    nullable: bool,
    reader: &mut Reader<'_>,
    at: At,
) -> Result<Value, DecodeError> {
    Ok(match kind {
        Type::Bool => json!(reader.u8()? != 0),
        Type::Int8 => json!(reader.i8()?),
        Type::Int16 => json!(reader.i16()?),
        Type::Uint16 => json!(reader.u16()?),
        Type::Int32 => json!(reader.i32()?),
        Type::Int64 => json!(reader.i64()?),
        Type::Float64 => json!(reader.f64()?),
        Type::Uuid => json!(Uuid(reader.array()?).to_string()),
        Type::String => match reader.text_length(at)? {
            Some(length) => json!(reader.text(length)?),
            None => Value::Null,
        },
        Type::Bytes | Type::Records => match reader.count(at)? {
            Some(length) => json!(base64(reader.take(length)?)),
            None => Value::Null,
        },
        Type::Array(of) => match reader.count(at)? {
            Some(count) => (0..count)
                .map(|_| value(of, false, reader, at))
                .collect::<Result<_, _>>()?,
            None => Value::Null,
        },
        Type::Struct(_) if nullable && !reader.presence()? => Value::Null,
        Type::Struct(layout) => structure(layout, reader, at)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sawlog_wire::Writer;
    use sawlog_wire::coordinator::group::consumer::{
        ClassicMemberMetadata, ConsumerGroupMemberMetadataValue,
    };
    use sawlog_wire::metadata::{FeatureLevelRecord, PartitionRecord, TopicRecord};

    fn printed(record: impl Into<MetadataRecord>, version: i16) -> String {
        let mut writer = Writer::new();
        record.into().encode(&mut writer, version).unwrap();
        metadata(&writer.finish().into_bytes()).unwrap().to_string()
    }

    #[test]
    fn records_are_printed_as_kafka_prints_them() {
        let feature = FeatureLevelRecord {
            name: "metadata.version".into(),
            feature_level: 30,
            ..Default::default()
        };
        assert_eq!(
            printed(feature, 0),
            r#"{"type":"FEATURE_LEVEL_RECORD","version":0,"data":{"name":"metadata.version","featureLevel":30}}"#
        );
        let topic = TopicRecord {
            name: "a".into(),
            topic_id: Uuid::METADATA_TOPIC,
            ..Default::default()
        };
        assert_eq!(
            printed(topic, 0),
            r#"{"type":"TOPIC_RECORD","version":0,"data":{"name":"a","topicId":"AAAAAAAAAAAAAAAAAAAAAQ"}}"#
        );
        let partition = PartitionRecord {
            replicas: vec![1],
            isr: vec![1],
            directories: vec![Uuid::METADATA_TOPIC],
            ..Default::default()
        };
        assert_eq!(
            printed(partition, 2),
            r#"{"type":"PARTITION_RECORD","version":2,"data":{"partitionId":-1,"topicId":"AAAAAAAAAAAAAAAAAAAAAA","replicas":[1],"isr":[1],"removingReplicas":[],"addingReplicas":[],"leader":-1,"leaderEpoch":-1,"partitionEpoch":-1,"directories":["AAAAAAAAAAAAAAAAAAAAAQ"]}}"#
        );
    }

    #[test]
    fn a_structure_in_a_tag_is_there_or_null() {
        // No record of the metadata log has one yet.
        let printed = |said: Option<ClassicMemberMetadata>| {
            let value = ConsumerGroupMemberMetadataValue {
                classic_member_metadata: said,
                ..Default::default()
            };
            let mut writer = Writer::new();
            value.encode(&mut writer, 0).unwrap();
            let bytes = writer.finish().into_bytes();
            let (mut reader, at) = (Reader::new(&bytes), ConsumerGroupMemberMetadataValue::at(0));
            let layout = ConsumerGroupMemberMetadataValue::LAYOUT;
            let mut fields = structure(layout, &mut reader, at).unwrap();
            assert_eq!(fields["rebalanceTimeoutMs"], json!(-1));
            assert_eq!(reader.left(), 0);
            fields["classicMemberMetadata"].take()
        };
        let said = ClassicMemberMetadata {
            session_timeout_ms: 5,
            ..Default::default()
        };
        assert_eq!(
            printed(Some(said)),
            json!({"sessionTimeoutMs": 5, "supportedProtocols": []})
        );
        assert_eq!(printed(None), Value::Null);
    }

    #[test]
    fn names_are_kafkas() {
        assert_eq!(screaming("NoOpRecord"), "NO_OP_RECORD");
        assert_eq!(
            screaming("UserScramCredentialRecord"),
            "USER_SCRAM_CREDENTIAL_RECORD"
        );
        assert_eq!(camel("kraft_version_feature"), "kRaftVersionFeature");
        assert_eq!(camel("is_migrating_zk_broker"), "isMigratingZkBroker");
    }
}
