//! What follows from an answer.

use tokio::time::Instant;

use super::*;
use crate::support::cut;

#[tokio::test]
async fn a_change_that_is_refused_fails_alone() {
    let decide = |message: &Json| match message["data"]["record"]["name"].as_str() {
        Some("bad") => Reply::Status(400, None),
        Some("large") => Reply::Status(413, None),
        _ => Reply::Ok,
    };
    let receiver = Receiver::start(decide).await;
    let sink = sink_for(&receiver);
    let batch = [(1, "Ulm"), (2, "bad"), (3, "large"), (4, "Bonn")];
    let (failed, _) = failures_of(write(&sink, changes(1, batch, &[])).await);
    assert!(failed.starts_with("2 records were not written"), "{failed}");
    assert_eq!(receiver.names(), named(&[(1, "Ulm"), (4, "Bonn")]));
    assert_eq!(receiver.messages().len(), 4, "it is not sent again");
}

#[tokio::test]
async fn what_is_refused_for_now_is_sent_again_when_the_receiver_says() {
    let busy = |seconds| Reply::Status(503, Some(("retry-after", seconds)));
    let receiver = Receiver::first(&[busy("1"), Reply::Status(500, None), Reply::Status(408, None)]).await;
    let sink = sink_for(&receiver);
    let began = Instant::now();
    write(&sink, changes(1, [(1, "Ulm")], &[])).await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(receiver.messages().len(), 4);

    let receiver = Receiver::first(&[busy("3600")]).await;
    let error = error_of(write(&sink_for(&receiver), changes(1, [(1, "Ulm")], &[])).await);
    let Error::RetriesExhausted { attempts: 1, source, .. } = error else { panic!("{error:?}") };
    assert!(matches!(*source, Error::Unavailable { status: 503, .. }));
}

#[tokio::test]
async fn no_connection_and_no_answer_fail_the_batch_after_retries() {
    let receiver = Receiver::first(&[Reply::Late(Duration::from_secs(30))]).await;
    let short = |builder: Builder<city::Entity>| builder.timeout(Duration::from_millis(200)).build().unwrap();
    // It is handled twice, which is harmless.
    write(&short(builder(&receiver)), changes(1, [(1, "Ulm")], &[])).await.unwrap();
    assert_eq!(receiver.messages().len(), 2);

    let url = receiver.url();
    drop(receiver);
    let sink = WebhookSink::<city::Entity>::builder(url).secret(SECRETS[1]).retry_for(Duration::from_millis(500));
    let error = error_of(write(&short(sink), changes(1, [(1, "Ulm")], &[])).await);
    let Error::RetriesExhausted { source, .. } = error else { panic!("{error:?}") };
    assert!(matches!(*source, Error::Connection { .. }), "{source:?}");
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_not_asked_again_until_it_is_enabled() {
    let receiver = Receiver::first(&[Reply::Status(410, None)]).await;
    let sink = sink_for(&receiver);
    for _ in 0..3 {
        assert!(matches!(error_of(write(&sink.clone(), changes(1, [(1, "Ulm")], &[])).await), Error::Gone { .. }));
    }
    assert_eq!(receiver.messages().len(), 1);
    sink.enable();
    write(&sink, changes(1, [(1, "Ulm")], &[])).await.unwrap();
    assert_eq!(receiver.names(), named(&[(1, "Ulm")]));
}

#[tokio::test]
async fn redirects_are_not_followed_and_a_wrong_url_gives_nothing_up() {
    let target = Receiver::any().await;
    let to: &'static str = Box::leak(target.url().into_boxed_str());
    for status in [301, 302, 307, 308] {
        let receiver = Receiver::first(&[Reply::Status(status, Some(("location", to)))]).await;
        let error = error_of(write(&sink_for(&receiver), changes(1, [(1, "Ulm")], &[])).await);
        assert!(matches!(&error, Error::Misconfigured { reason, .. } if reason.contains(to)), "{error:?}");
    }
    assert!(target.messages().is_empty());
    for status in [403, 404, 405] {
        let receiver = Receiver::first(&[Reply::Status(status, None)]).await;
        let error = error_of(write(&sink_for(&receiver), changes(1, [(1, "Ulm")], &[])).await);
        assert!(matches!(error, Error::Misconfigured { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_write_that_is_dropped_at_any_point_can_be_repeated() {
    let receiver = Receiver::any().await;
    let sink = sink_for(&receiver);
    for pending in 1..8_usize {
        let name = format!("{pending}");
        let batch = || changes(pending as u64, [(1, name.as_str()), (2, name.as_str())], &[]);
        _ = cut(write(&sink, batch()), pending).await;
        write(&sink, batch()).await.unwrap();
        assert_eq!(receiver.names(), named(&[(1, name.as_str()), (2, name.as_str())]));
    }
}
