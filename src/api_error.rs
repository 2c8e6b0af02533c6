//! A code and what a person is told about it: the outcome of one part of an administrative request. Kafka's `ApiError`.

use controller::{ControllerError, Rejection};
use protocol::ErrorCode;
use protocol::wire::Utf8Bytes;

use crate::handlers::to_code::ToCode;

/// Why one part of a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The code.
    pub code: ErrorCode,
    /// Why, for a person; `None` where the code says all.
    pub message: Option<String>,
}

impl ApiError {
    /// With a message.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: Some(message.into()),
        }
    }

    /// `INVALID_REQUEST`
    pub fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::INVALID_REQUEST, message)
    }

    /// `UNKNOWN_TOPIC_OR_PARTITION`
    pub fn unknown_topic(topic: &str) -> Self {
        Self::new(
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            format!("The topic '{topic}' does not exist."),
        )
    }

    /// What was asked for is accepted but not done in time. Kafka sends no message with it.
    pub fn timed_out() -> Self {
        Self {
            code: ErrorCode::REQUEST_TIMED_OUT,
            message: None,
        }
    }
}

impl From<Rejection> for ApiError {
    fn from(rejection: Rejection) -> Self {
        Self {
            code: rejection.to_code(),
            message: match rejection {
                Rejection::NotController => None,
                rejection => Some(rejection.to_string()),
            },
        }
    }
}

impl From<ControllerError> for ApiError {
    fn from(error: ControllerError) -> Self {
        let code = error.to_code();
        match error {
            ControllerError::Rejected(rejection) => rejection.into(),
            // What the store says may hold paths, and helps nobody but the operator: it is in the log.
            ControllerError::Store(failure) => {
                log::error!("a request to the controller failed: {failure}");
                Self { code, message: None }
            }
            ControllerError::NotController | ControllerError::Stopped => Self { code, message: None },
        }
    }
}

/// The two fields that most answers have.
pub fn code_and_message<T>(outcome: &Result<T, ApiError>) -> (ErrorCode, Option<Utf8Bytes>) {
    match outcome {
        Ok(_) => (ErrorCode::NONE, None),
        Err(error) => (error.code, error.message.as_deref().map(Utf8Bytes::from)),
    }
}
