//! The reference of error codes, from the table in the wire crate.
//! Decides the columns only; which request gets which code is decided where the request is judged.

use sawlog_wire::code::{Code, Retry};

use super::{cell, head};

pub(super) fn page() -> String {
    let mut page = head("Error codes", "client/wire/src/code.rs");
    page.push_str("| Number | Name | May trying again help? | Meaning |\n|--:|---|---|---|\n");
    for code in Code::ALL {
        let retry = match code.retry() {
            Retry::Never => "no",
            Retry::Again => "yes",
            Retry::Refreshed => "yes, after fetching metadata",
        };
        page.push_str(&format!(
            "| {} | {} | {retry} | {} |\n",
            code.number(),
            code.name(),
            cell(code.text())
        ));
    }
    page
}
