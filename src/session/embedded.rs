//! The agents that this build of the tool carries, one for each architecture.

use std::io::Read as _;

/// An agent inside the tool.
#[derive(Debug)]
pub struct EmbeddedAgent {
    /// Architecture as `uname -m` says it.
    pub arch: &'static str,
    /// SHA-256 of the binary, lower-case hex.
    pub sha256: &'static str,
    /// Length of the binary in bytes.
    pub size: usize,
    /// The binary, gzipped.
    pub packed: &'static [u8],
}

static AGENTS: &[EmbeddedAgent] = include!(concat!(env!("OUT_DIR"), "/agents.rs"));

/// All agents.
pub fn agents() -> &'static [EmbeddedAgent] {
    AGENTS
}

impl EmbeddedAgent {
    /// The file name in the caches of hosts.
    pub fn file_name(&self) -> String {
        format!("agent-{}", &self.sha256[..16])
    }

    /// The binary itself.
    pub fn unpacked(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.size);
        let mut decoder = flate2::read::GzDecoder::new(self.packed);
        decoder.read_to_end(&mut bytes).expect("the build script compressed it");
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_what_their_digests_say() {
        for agent in agents() {
            assert_eq!(stead_modules::change::sha256(&agent.unpacked()), agent.sha256, "{}", agent.arch);
        }
    }

    #[test]
    fn agents_are_static() {
        const INTERPRETER: u32 = 3;
        for agent in agents() {
            let elf = agent.unpacked();
            let number = |at: usize, length: usize| {
                elf[at..at + length].iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)) as usize
            };
            let (headers, size, count) = (number(32, 8), number(54, 2), number(56, 2));
            let kinds = (0..count).map(|header| number(headers + header * size, 4) as u32);
            assert!(elf.starts_with(b"\x7fELF\x02\x01") && count > 0, "{}", agent.arch);
            assert!(kinds.into_iter().all(|kind| kind != INTERPRETER), "{} needs a dynamic linker", agent.arch);
        }
    }
}
