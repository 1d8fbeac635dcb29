//! SSH by russh. Nothing outside this folder names that crate.

use super::error::SessionError;
use super::local::Local;
use super::target::{SessionSettings, Target};

/// x
pub(super) async fn connect(target: &Target, _settings: &SessionSettings) -> Result<Local, SessionError> {
    Err(SessionError::unreachable(format!("{}", target.host)))
}
