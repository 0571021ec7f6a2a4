//! One binary for all stories with real processes.
