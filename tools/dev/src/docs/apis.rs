//! The reference of API keys: what is answered and what ApiVersions lists, from the table that dispatches them.
//! Decides the columns only.

use sawlog_core::api::table::{Audience, ROWS};
use sawlog_wire::layout::Versions;

use super::head;

pub(super) fn page() -> String {
    let mut page = head("API keys", "broker/core/src/api/table.rs");
    page.push_str(
        "Any other key, and any other version, ends the connection with a WARN that names key, version and client; \
         ApiVersions alone answers every version. What a served key leaves out stands in `skipped.md`.\n\n\
         | Key | Name | Answered | Listed by ApiVersions | Listener |\n|--:|---|---|---|---|\n",
    );
    for row in ROWS {
        let audiences: Vec<&str> = row
            .audiences
            .iter()
            .map(|audience| match audience {
                Audience::Clients => "clients",
                Audience::Controllers => "controllers",
            })
            .collect();
        page.push_str(&format!(
            "| {} | {} | {} | {} | {} |\n",
            row.key.number(),
            row.key,
            span(row.served),
            span(row.listed),
            audiences.join(", ")
        ));
    }
    page
}

fn span(versions: Versions) -> String {
    if versions.from == versions.to {
        versions.from.to_string()
    } else {
        format!("{}-{}", versions.from, versions.to)
    }
}
