//! Connecting: what is refused, how soon, and that no error contains a password.

use std::time::{Duration, Instant};

use redstream_core::{ConnectOptions, Error, Redstream};

use crate::support::redis_url;

#[tokio::test]
async fn a_url_of_something_else_is_refused() {
    for url in ["", "127.0.0.1", "http://127.0.0.1/", "redis://"] {
        match Redstream::connect(url).await {
            Err(error @ Error::InvalidUrl(_)) => assert!(error.to_string().contains("redis://"), "{error}"),
            other => panic!("{url:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_unreachable_server_is_an_error_at_once_that_names_the_address() {
    let port = redstream_servers::free_port().unwrap();
    let begun = Instant::now();
    let error = Redstream::connect(format!("redis://:secret@127.0.0.1:{port}/")).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(10), "it is bounded");
    let at = format!("127.0.0.1:{port}");
    assert!(matches!(&error, Error::Connect { address, .. } if *address == at), "{error:?}");
    assert!(error.to_string().contains(&at), "{error}");
    assert!(!format!("{error:?} {error}").contains("secret"), "{error:?}");
}

#[tokio::test]
async fn a_server_that_accepts_and_never_answers_is_an_error_within_the_bound() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}/", silent.local_addr().unwrap());
    let options = ConnectOptions::new(url).connect_timeout(Duration::from_millis(200));
    let bounded = tokio::time::timeout(Duration::from_secs(10), Redstream::connect(options));
    assert!(matches!(bounded.await.expect("it does not hang"), Err(Error::Connect { .. })));
}

#[tokio::test]
async fn a_redis_before_6_2_is_refused_with_its_version() {
    let server = tokio::task::spawn_blocking(redstream_servers::Redis::redis_5_0).await.unwrap().unwrap();
    match Redstream::connect(server.url()).await {
        Err(error @ Error::UnsupportedServer { .. }) => {
            assert!(error.to_string().contains("Redis 5.0") && error.to_string().contains("6.2"), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn nothing_shown_for_debugging_holds_the_password() {
    let options = ConnectOptions::new("redis://user:secret@127.0.0.1/");
    assert!(!format!("{options:?}").contains("secret"));
    let redstream = Redstream::connect(redis_url()).await.unwrap();
    let shown = format!("{redstream:?} {:?} {:?}", redstream.producer(), redstream.stream("a").unwrap());
    assert!(shown.contains("127.0.0.1") && !shown.contains("redis://"), "{shown}");
}

#[tokio::test]
async fn a_wait_of_zero_is_refused() {
    let options = ConnectOptions::new(redis_url()).give_up_after(Duration::ZERO);
    let error = Redstream::connect(options).await.unwrap_err();
    assert!(matches!(error, Error::InvalidOption { option: "give_up_after", .. }), "{error}");
}
