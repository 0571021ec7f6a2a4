//! Frames in, frames out, on shards that answer what the test says.
