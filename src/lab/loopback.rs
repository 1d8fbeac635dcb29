//! Brings up `lo` in a fresh network namespace by one rtnetlink message, so that no tool is needed.

use std::io;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, recv, send, socket};

const RTM_NEWLINK: u16 = 16;
const NLM_F_REQUEST_AND_ACK: u16 = 0x1 | 0x4;
const NLMSG_ERROR: u16 = 2;
const IFF_UP: u32 = 1;
/// `lo` is always the first interface of a network namespace.
const LOOPBACK_INDEX: i32 = 1;
const MESSAGE_LENGTH: u32 = 32;

/// Sets `lo` up and waits for the kernel's answer.
pub(super) fn bring_up() -> io::Result<()> {
    let netlink = socket(AddressFamily::NETLINK, SocketType::RAW, None)?;
    send(&netlink, &set_up_message(), SendFlags::empty())?;
    let mut answer = [0_u8; 1024];
    let (_, length) = recv(&netlink, &mut answer, RecvFlags::empty())?;
    acknowledged(&answer[..length])
}

/// A netlink header (16 bytes) and an `ifinfomsg` (16 bytes).
fn set_up_message() -> Vec<u8> {
    let mut message = Vec::with_capacity(MESSAGE_LENGTH as usize);
    message.extend(MESSAGE_LENGTH.to_ne_bytes());
    message.extend(RTM_NEWLINK.to_ne_bytes());
    message.extend(NLM_F_REQUEST_AND_ACK.to_ne_bytes());
    message.extend(1_u32.to_ne_bytes()); // sequence number
    message.extend(0_u32.to_ne_bytes()); // sender: the kernel fills it in
    message.extend([0_u8; 4]); // family, padding, device type: any
    message.extend(LOOPBACK_INDEX.to_ne_bytes());
    message.extend(IFF_UP.to_ne_bytes()); // flags
    message.extend(IFF_UP.to_ne_bytes()); // which flags change
    message
}

/// An answer is an error message; error 0 is the acknowledgement.
fn acknowledged(answer: &[u8]) -> io::Result<()> {
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "the kernel's answer is not a netlink message");
    let kind = answer.get(4..6).and_then(|bytes| bytes.try_into().ok()).map(u16::from_ne_bytes);
    let code = answer.get(16..20).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
    match (kind, code) {
        (Some(NLMSG_ERROR), Some(0)) => Ok(()),
        (Some(NLMSG_ERROR), Some(code)) => Err(io::Error::from_raw_os_error(code.saturating_neg())),
        _ => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kind: u16, code: i32) -> Vec<u8> {
        let mut bytes = vec![0_u8; 20];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[16..20].copy_from_slice(&code.to_ne_bytes());
        bytes
    }

    #[test]
    fn message_has_the_length_that_it_states() {
        assert_eq!(set_up_message().len(), MESSAGE_LENGTH as usize);
    }

    #[test]
    fn answers_are_told_apart() {
        assert!(acknowledged(&answer(NLMSG_ERROR, 0)).is_ok());
        assert_eq!(acknowledged(&answer(NLMSG_ERROR, -1)).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(acknowledged(&answer(3, 0)).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(acknowledged(&[]).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
