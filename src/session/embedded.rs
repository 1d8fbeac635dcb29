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
}
