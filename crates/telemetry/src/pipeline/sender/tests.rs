use tonic_types::ErrorDetails;

use super::*;

const PAUSE: Duration = Duration::from_secs(1);

fn status(code: Code, retry_after: Option<Duration>) -> Status {
    let Some(delay) = retry_after else { return Status::new(code, "no") };
    Status::with_error_details(code, "no", ErrorDetails::with_retry_info(Some(delay)))
}

#[test]
fn a_collector_is_waited_for_as_long_as_it_wants_and_never_not_at_all() {
    for code in [Code::Unavailable, Code::ResourceExhausted] {
        let of = |delay| pause_before_retry(&status(code, Some(delay)), PAUSE).unwrap();
        assert_eq!(of(PAUSE * 60), PAUSE * 60);
        assert!(of(Duration::ZERO) >= PAUSE * 3 / 4, "{code:?}");
    }
    assert_eq!(pause_before_retry(&status(Code::ResourceExhausted, None), PAUSE), None);
    assert_eq!(pause_before_retry(&status(Code::InvalidArgument, Some(PAUSE)), PAUSE), None);
}

#[test]
fn pauses_of_many_differ_by_a_quarter_at_most() {
    let pauses: Vec<_> = (0..100).map(|_| jittered(PAUSE)).collect();
    assert!(pauses.iter().all(|pause| (PAUSE * 3 / 4..=PAUSE * 5 / 4).contains(pause)), "{pauses:?}");
    assert!(pauses.iter().any(|pause| *pause != pauses[0]));
}

#[test]
fn what_a_lost_connection_makes_of_a_request_is_no_refusal() {
    let lost = Status::from_error(Box::new(std::io::Error::from(std::io::ErrorKind::ConnectionReset)));
    assert_eq!(lost.code(), Code::Unknown);
    assert!(pause_before_retry(&lost, PAUSE).is_some());
    assert_eq!(pause_before_retry(&status(Code::Unknown, None), PAUSE), None);
}

#[tokio::test]
async fn why_nothing_is_sent_is_told_with_the_place_and_without_its_password() {
    let endpoint = Endpoint::from_static("http://user:hunter2@127.0.0.1:1/path");
    let sender = Sender::new(&endpoint, MetadataMap::new(), Duration::ZERO);
    let told = sender.told(&sender.attempt(Bytes::new()).await.unwrap_err());
    assert!(told.starts_with("127.0.0.1:1: ") && told.contains("Connection refused"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");

    let refused = sender.told(&Status::unauthenticated("who are you?"));
    assert_eq!(refused, "127.0.0.1:1: Unauthenticated who are you?");
}
