//! What a broker says of a batch that it refuses, and of records in it (KIP-467). Decides which of its words are told with
//! which record; what becomes of the records, the code alone decides (`verdict`).

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::terms::Answer;

/// The words of one refusal.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Words {
    batch: Option<String>,
    /// Records at fault, by their number in the batch.
    records: Vec<(u32, Option<String>)>,
}

impl Words {
    pub(super) fn of(answer: &Answer<'_>) -> Words {
        let some = |text: Option<&str>| Some(text?.to_owned()).filter(|text| !text.is_empty());
        let record = |told: &super::terms::RecordError| {
            let number = u32::try_from(told.batch_index).ok()?;
            Some((number, some(told.batch_index_error_message.as_deref())))
        };
        Words {
            batch: some(answer.message),
            records: answer.records.iter().filter_map(record).collect(),
        }
    }

    /// What is told of a record, by its number in the batch. One that is not at fault fails with those that are.
    pub fn of_record(&self, number: u32) -> Option<String> {
        let own = self.records.iter().find(|(at, _)| *at == number);
        match (own, self.records.first()) {
            (Some((_, Some(own))), _) => Some(own.clone()),
            (None, Some((_, of_other))) => {
                let why = of_other.as_ref().or(self.batch.as_ref());
                let why = why.map(|why| format!(": {why}")).unwrap_or_default();
                Some(format!("another record of its batch is at fault{why}"))
            }
            (Some((_, None)), _) | (None, None) => self.batch.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_record_is_told_what_is_said_of_it_and_the_others_whose_fault_it_is_kip_467() {
        let words = |batch: Option<&str>, records: &[(u32, Option<&str>)]| Words {
            batch: batch.map(str::to_owned),
            records: records
                .iter()
                .map(|(at, text)| (*at, text.map(str::to_owned)))
                .collect(),
        };
        let own = words(Some("some are old"), &[(1, Some("it is old")), (2, None)]);
        assert_eq!(own.of_record(1).as_deref(), Some("it is old"));
        assert_eq!(own.of_record(2).as_deref(), Some("some are old"));
        let other = "another record of its batch is at fault: it is old";
        assert_eq!(own.of_record(0).as_deref(), Some(other));
        assert_eq!(words(Some("no"), &[]).of_record(0).as_deref(), Some("no"));
        let silent = words(None, &[(1, None)]);
        assert_eq!(silent.of_record(1), None);
        let other = "another record of its batch is at fault";
        assert_eq!(silent.of_record(0).as_deref(), Some(other));
        assert_eq!(words(None, &[]).of_record(0), None);
    }
}
