//! `meta.properties`: whose log directory this is, in Kafka's own file format.
//! Decides what the bytes mean, whether they are whole and whether they are this node's; never when they are written.
//! Holds #19, #102.
//!
//! ```text
//! version=1
//! cluster.id=4L6g3nShT-eMCtK--X86sw
//! node.id=1
//! directory.id=Kioe5wt2SZeaaLM0Kd2ZtQ
//! #crc32c=305419896          ours, over all bytes before it; Kafka reads it as a comment
//! ```

use alloc::format;
use alloc::string::{String, ToString};

use sawlog_wire::Code;

use crate::complaint::Complaint;
use crate::ids::{BrokerId, Uuid};
use crate::now::Dice;

/// The file's name.
pub const FILE: &str = "meta.properties";

/// The format that Kafka's KRaft nodes write.
const VERSION: &str = "1";
/// The most characters of a cluster's id: Kafka's bound on names.
const CLUSTER_ID_MAX: usize = 249;
const CHECKSUM: &str = "#crc32c=";

/// Whose directory it is. Minted once, stable for ever.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The cluster's id.
    pub cluster: String,
    /// `node.id`.
    pub node: BrokerId,
    /// The directory's own id: another disk is another replica (#19).
    pub directory: Uuid,
}

/// Why a directory is not this node's to use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Foreign {
    /// The file is damaged: what is wrong with it.
    Damaged(String),
    /// It is of a later format.
    Newer(String),
    /// It belongs to another cluster.
    Cluster {
        /// The one that the file names.
        has: String,
        /// The one that this node was told.
        wanted: String,
    },
    /// It belongs to another node.
    Node {
        /// The one that the file names.
        has: BrokerId,
        /// The one that this node was told.
        wanted: BrokerId,
    },
}

impl Identity {
    /// A new one. No id begins with '-', which tools would take for an option.
    pub(crate) fn mint(node: BrokerId, cluster: Option<&str>, dice: Dice) -> Identity {
        let cluster = cluster.map_or_else(|| fresh(dice, 1).to_string(), ToString::to_string);
        Identity {
            cluster,
            node,
            directory: fresh(dice, 1 << 32),
        }
    }

    /// The bytes of the file.
    pub(crate) fn encode(&self) -> String {
        let Identity {
            cluster,
            node,
            directory,
        } = self;
        let mut text = format!(
            "version={VERSION}\ncluster.id={cluster}\nnode.id={node}\ndirectory.id={directory}\n"
        );
        let sum = crc32c::crc32c(text.as_bytes());
        text.push_str(&format!("{CHECKSUM}{sum}\n"));
        text
    }

    /// Reads the bytes of the file; one that Kafka wrote has no checksum and is taken at its word.
    pub fn decode(bytes: &[u8]) -> Result<Identity, Foreign> {
        let damaged = |why: &str| Foreign::Damaged(why.to_string());
        let text = core::str::from_utf8(bytes).map_err(|_| damaged("it is not text"))?;
        if let Some((covered, sum)) = text.split_once(CHECKSUM)
            && sum.trim_end().parse() != Ok(crc32c::crc32c(covered.as_bytes()))
        {
            return Err(damaged("its checksum does not match"));
        }
        let value = |name: &str| {
            text.lines()
                .map(str::trim)
                .filter(|line| !line.starts_with('#'))
                .find_map(|line| {
                    let (key, value) = line.split_once('=')?;
                    (key.trim() == name).then_some(value.trim())
                })
        };
        match value("version") {
            Some(VERSION) => {}
            Some(other) if other.parse::<u32>().is_ok_and(|version| version > 1) => {
                return Err(Foreign::Newer(other.to_string()));
            }
            _ => return Err(damaged("version is missing or wrong")),
        }
        let cluster = value("cluster.id")
            .filter(|id| !id.is_empty())
            .ok_or_else(|| damaged("cluster.id is missing"))?;
        let node = value("node.id")
            .and_then(|id| id.parse().ok())
            .ok_or_else(|| damaged("node.id is missing or wrong"))?;
        let directory = value("directory.id").and_then(|id| id.parse().ok());
        let directory = directory.ok_or_else(|| damaged("directory.id is missing or wrong"))?;
        Ok(Identity {
            cluster: cluster.to_string(),
            node: BrokerId(node),
            directory,
        })
    }

    /// Whether this node may use the directory.
    pub(crate) fn check(&self, node: BrokerId, cluster: Option<&str>) -> Result<(), Foreign> {
        if let Some(wanted) = cluster.filter(|wanted| *wanted != self.cluster) {
            return Err(Foreign::Cluster {
                has: self.cluster.clone(),
                wanted: wanted.to_string(),
            });
        }
        if self.node != node {
            return Err(Foreign::Node {
                has: self.node,
                wanted: node,
            });
        }
        Ok(())
    }
}

/// The id in `CLUSTER_ID`, of a cluster that is to be founded or must be this one; empty says nothing. Kafka 4 takes any text
/// and its tools make 22 characters of base64; here too any will do that comes back from `meta.properties` as it was, in
/// Kafka's reading of that file as in ours, and that fits every answer it stands in.
pub fn cluster_id(said: &str) -> Result<Option<&str>, Complaint> {
    let why = match said
        .chars()
        .find(|c| !c.is_ascii_graphic() || matches!(c, '\\' | '#'))
    {
        Some(c) => format!("it has the character {c:?}"),
        None if said.len() > CLUSTER_ID_MAX => {
            format!(
                "it has {} characters, {CLUSTER_ID_MAX} is the most",
                said.len()
            )
        }
        None => return Ok((!said.is_empty()).then_some(said)),
    };
    Err(Complaint {
        what: format!(
            "CLUSTER_ID={:?} cannot be a cluster's id",
            said.chars().take(64).collect::<String>()
        ),
        why,
        attempt: "Give one like 4L6g3nShT-eMCtK--X86sw, as `kafka-storage random-uuid` makes them, or leave CLUSTER_ID out"
            .to_string(),
        code: Some(Code::InvalidConfig),
    })
}

/// An id that Kafka has not reserved and that no tool takes for an option.
fn fresh(dice: Dice, mut turn: u64) -> Uuid {
    loop {
        let id = dice.id(turn);
        if id.as_u128() >= 100 && !id.to_string().starts_with('-') {
            return id;
        }
        turn = turn.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Apache Kafka 4.3.1 left it.
    const KAFKAS: &str = "#\n#Sat Nov 21 13:24:41 UTC 2026\nnode.id=1\ndirectory.id=Kioe5wt2SZeaaLM0Kd2ZtQ\nversion=1\ncluster.id=4L6g3nShT-eMCtK--X86sw\n";

    #[test]
    fn a_file_that_kafka_wrote_is_read() {
        let read = Identity::decode(KAFKAS.as_bytes()).unwrap();
        assert_eq!(
            (&*read.cluster, read.node),
            ("4L6g3nShT-eMCtK--X86sw", BrokerId(1))
        );
        assert_eq!(read.directory.to_string(), "Kioe5wt2SZeaaLM0Kd2ZtQ");
    }

    #[test]
    fn an_identity_is_read_back_and_never_begins_with_a_dash() {
        for seed in 0..2000u32 {
            let mut dice = Dice::default();
            dice.0[..4].copy_from_slice(&seed.to_be_bytes());
            let minted = Identity::mint(BrokerId(7), None, dice);
            assert!(!minted.cluster.starts_with('-'));
            assert!(!minted.directory.to_string().starts_with('-'));
            assert_eq!(Identity::decode(minted.encode().as_bytes()), Ok(minted));
        }
    }

    #[test]
    fn what_a_cluster_may_be_called_is_read_back_and_the_rest_is_refused_19() {
        // The second is what many compose files have, the next ones are what Kafka 4.3.1 formats a directory with.
        let long = "x".repeat(249);
        let good = [
            "4L6g3nShT-eMCtK--X86sw",
            "MkU3OEVBNTcwNTJENDM2Qk==",
            "123e4567-e89b-12d3-a456-426614174000",
            "my_cluster.1",
            "nonsense!",
            "a=b",
            &long,
        ];
        for said in good {
            let taken = cluster_id(said).unwrap();
            assert_eq!(taken, Some(said));
            let minted = Identity::mint(BrokerId(7), taken, Dice([3; 16]));
            let read = Identity::decode(minted.encode().as_bytes());
            assert_eq!(read.map(|read| read.cluster), Ok(said.to_string()));
        }
        assert_eq!(cluster_id(""), Ok(None));
        let long = "x".repeat(250);
        for said in [
            " x",
            "x ",
            "#crc32c=1",
            "a b",
            "a\nb",
            "a\\b",
            "na\u{ef}ve",
            "\0",
            &long,
        ] {
            let told = cluster_id(said).unwrap_err().to_string();
            assert!(told.starts_with("CLUSTER_ID=\""), "{told}");
            assert!(
                told.contains("random-uuid") && !told.contains('\n'),
                "{told}"
            );
            assert!(told.len() < 300, "{told}");
        }
    }

    #[test]
    fn no_bit_can_rot_unnoticed() {
        let minted = Identity::mint(BrokerId(7), None, Dice([3; 16]));
        let whole = minted.encode();
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut bytes = whole.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let read = Identity::decode(&bytes);
                // The comment's own name may rot: the values are then as they were.
                assert!(
                    read.is_err() || read == Ok(minted.clone()),
                    "#102: byte {at} bit {bit}: {read:?}"
                );
            }
        }
    }

    #[test]
    fn another_cluster_another_node_and_a_newer_format_are_told_apart() {
        let minted = Identity::mint(BrokerId(7), Some("mine"), Dice([3; 16]));
        assert_eq!(minted.check(BrokerId(7), Some("mine")), Ok(()));
        assert_eq!(minted.check(BrokerId(7), None), Ok(()));
        assert!(matches!(
            minted.check(BrokerId(7), Some("yours")),
            Err(Foreign::Cluster { .. })
        ));
        assert!(matches!(
            minted.check(BrokerId(8), None),
            Err(Foreign::Node { .. })
        ));
        assert_eq!(
            Identity::decode(b"version=2\n"),
            Err(Foreign::Newer("2".into()))
        );
        assert!(matches!(Identity::decode(b""), Err(Foreign::Damaged(_))));
    }
}
