//! Asking the controller within a request's `timeout_ms`.

use std::time::Duration;

use controller::{Answers, ControllerError};

use crate::api_error::ApiError;

/// The outcome of each thing that was asked, in its order. As in Kafka, `REQUEST_TIMED_OUT` says that a thing is accepted and may
/// still be done: so a `timeout_ms` of 0 or less gives it in place of every success, unless `validate_only` asked for no more.
pub async fn ask_controller<T>(
    count: usize,
    timeout_ms: i32,
    validate_only: bool,
    asked: impl Future<Output = Result<Answers<T>, ControllerError>>,
) -> Vec<Result<T, ApiError>> {
    if count == 0 {
        return Vec::new();
    }
    let answered = match u64::try_from(timeout_ms) {
        Ok(timeout_ms @ 1..) if !validate_only => tokio::time::timeout(Duration::from_millis(timeout_ms), asked).await,
        Ok(_) | Err(_) => Ok(asked.await),
    };
    let repeated = |error: ApiError| (0..count).map(|_| Err(error.clone())).collect();
    match answered {
        Err(_elapsed) => repeated(ApiError::timed_out()),
        Ok(Err(error)) => repeated(error.into()),
        Ok(Ok(answers)) => {
            assert_eq!(answers.len(), count, "the controller answers every question once");
            let outcomes = answers.into_iter().map(|answer| match answer {
                Ok(_) if timeout_ms <= 0 && !validate_only => Err(ApiError::timed_out()),
                Ok(done) => Ok(done),
                Err(rejection) => Err(rejection.into()),
            });
            outcomes.collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use controller::Rejection;
    use protocol::ErrorCode;

    use super::*;

    fn codes(outcomes: &[Result<i32, ApiError>]) -> Vec<ErrorCode> {
        let code = |outcome: &Result<i32, ApiError>| outcome.as_ref().map_or_else(|e| e.code, |_| ErrorCode::NONE);
        outcomes.iter().map(code).collect()
    }

    fn answers() -> Result<Answers<i32>, ControllerError> {
        let unknown = Rejection::UnknownTopic { topic: "t".to_owned() };
        Ok(vec![Ok(7), Err(unknown)])
    }

    #[tokio::test]
    async fn a_timeout_of_zero_turns_successes_into_timeouts() {
        let none = ErrorCode::NONE;
        let (timed_out, unknown) = (ErrorCode::REQUEST_TIMED_OUT, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        let ask = |timeout_ms, validate_only| ask_controller(2, timeout_ms, validate_only, async { answers() });
        assert_eq!(codes(&ask(1000, false).await), [none, unknown]);
        assert_eq!(codes(&ask(0, false).await), [timed_out, unknown]);
        assert_eq!(codes(&ask(-1, true).await), [none, unknown]);
    }

    #[tokio::test]
    async fn what_takes_too_long_times_out() {
        let outcomes = ask_controller::<i32>(2, 1, false, std::future::pending()).await;
        assert_eq!(codes(&outcomes), [ErrorCode::REQUEST_TIMED_OUT; 2]);
    }

    #[tokio::test]
    async fn an_error_of_the_whole_request_is_the_error_of_each_part() {
        let stopped = async { Err::<Answers<i32>, _>(ControllerError::Stopped) };
        assert_eq!(
            codes(&ask_controller(2, 1000, false, stopped).await),
            [ErrorCode::NOT_CONTROLLER; 2]
        );
    }
}
