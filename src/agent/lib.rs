//! The agent: modules served over a byte stream. Small, static, without an async runtime.

pub mod blobs;
pub mod job;
pub mod lock;
pub mod machine;
pub mod serve;
pub mod wire;
