//! The benchmark's message: 36 bytes of header, big-endian, then the payload, zeros.

use std::time::{SystemTime, UNIX_EPOCH};

pub const HEADER_BYTES: usize = 36;

#[derive(Debug, PartialEq, Eq)]
pub struct Header {
    pub sender: u64,
    pub index: u64,
    /// Nanoseconds since the Unix epoch.
    pub time_ns: u64,
}

/// A whole message of `size` bytes, header included.
pub fn encode(header: &Header, size: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size);
    bytes.extend_from_slice(&header.sender.to_be_bytes());
    bytes.extend_from_slice(&header.index.to_be_bytes());
    bytes.extend_from_slice(&(header.time_ns / 1_000_000_000).to_be_bytes());
    bytes.extend_from_slice(&((header.time_ns % 1_000_000_000) as u32).to_be_bytes());
    bytes.extend_from_slice(&((size - HEADER_BYTES) as u64).to_be_bytes());
    bytes.resize(size, 0);
    bytes
}

/// `None` for a message that is truncated or overlong.
pub fn decode(bytes: &[u8]) -> Option<Header> {
    let word = |at: usize| Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let nanoseconds = u32::from_be_bytes(bytes.get(24..28)?.try_into().ok()?);
    if word(28)? != bytes.len().checked_sub(HEADER_BYTES)? as u64 {
        return None;
    }
    let time_ns = word(16)?
        .checked_mul(1_000_000_000)?
        .checked_add(nanoseconds.into())?;
    Some(Header {
        sender: word(0)?,
        index: word(8)?,
        time_ns,
    })
}

pub fn wall_clock_ns() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is after 1970")
        .as_nanos() as u64
}
