//! Why a host could not be reached or was lost.

/// Why a host could not be reached or was lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// Nothing was started on the host: it is unreachable.
    #[error("{message}")]
    Unreachable {
        /// What happened, with address and port.
        message: String,
        /// What can be done.
        hint: Option<String>,
    },
    /// The identity could not be taken on (sudo refused, wrong password): the task failed.
    #[error("{message}")]
    Refused {
        /// What happened, with method and user.
        message: String,
        /// What can be done.
        hint: Option<String>,
    },
    /// The link broke while something was being done: what came of it is unknown.
    #[error("{message}")]
    Lost {
        /// What happened.
        message: String,
    },
}

impl SessionError {
    /// Unreachable, without advice.
    pub(super) fn unreachable(message: impl Into<String>) -> Self {
        Self::Unreachable { message: message.into(), hint: None }
    }

    /// Adds advice.
    pub(super) fn hint(self, advice: impl Into<String>) -> Self {
        let advice = Some(advice.into());
        match self {
            Self::Unreachable { message, .. } => Self::Unreachable { message, hint: advice },
            Self::Refused { message, .. } => Self::Refused { message, hint: advice },
            lost @ Self::Lost { .. } => lost,
        }
    }
}
