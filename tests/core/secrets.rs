//! Credentials: in no log, no `Debug`, no error, whatever fails.

use std::time::Duration;

use redstream_core::{ConnectOptions, Error, Redstream};

use crate::support::{Logs, private_redis, raw_redis, redis_url};

const USER: &str = "the-user-of-it";
const PASSWORD: &str = "s3cr3t-and-long";

/// The error, its causes, and all of it as a programmer prints it.
fn told(error: &Error) -> String {
    let first: &dyn std::error::Error = error;
    let causes = std::iter::successors(Some(first), |error| error.source());
    causes.map(|error| format!("{error} {error:?} {error:#?} ")).collect::<Vec<_>>().concat()
}

fn with_credentials(place: &str) -> String {
    format!("redis://{USER}:{PASSWORD}@{place}")
}

#[tokio::test]
async fn no_failure_to_connect_tells_them() {
    let logs = Logs::capture();
    let dead = redstream_servers::free_port().unwrap();
    let alive = redis_url();
    let alive = alive.trim_start_matches("redis://").trim_end_matches('/').to_owned();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let tls = with_credentials(&alive).replace("redis://", "rediss://");
    let urls = [
        with_credentials(&format!("127.0.0.1:{dead}/")),
        // No such user there.
        with_credentials(&format!("{alive}/")),
        with_credentials(&format!("{}/", silent.local_addr().unwrap())),
        // A server without TLS.
        format!("{tls}/"),
        // Texts that are no URLs of Redis.
        with_credentials("127.0.0.1:port/"),
        with_credentials("127.0.0.1/no-number"),
        with_credentials("127.0.0.1/?protocol=none"),
        with_credentials("[::1/"),
        with_credentials(""),
        format!("http://{USER}:{PASSWORD}@127.0.0.1/"),
        format!("{USER}:{PASSWORD}@127.0.0.1"),
        format!("redis://{USER}:{PASSWORD}%zz@127.0.0.1:{dead}/"),
    ];
    for url in urls {
        let cluster = ConnectOptions::cluster([url.as_str()]);
        let sentinel = ConnectOptions::sentinel([url.as_str()], "main").node(url.as_str());
        for options in [ConnectOptions::new(url.as_str()), cluster, sentinel] {
            let options =
                options.connect_timeout(Duration::from_millis(200)).response_timeout(Duration::from_millis(200));
            assert!(!format!("{options:?} {options:#?}").contains(PASSWORD));
            let error = Redstream::connect(options).await.expect_err(&url);
            let is_one = matches!(error, Error::InvalidUrl(_) | Error::InvalidOption { .. } | Error::Connect { .. });
            assert!(is_one, "{url}: {error:?}");
            let told = told(&error);
            assert!(!told.contains(PASSWORD) && !told.contains(USER), "{url}: {told}");
        }
    }
    let logged = logs.text();
    assert!(!logged.contains(PASSWORD), "{logged}");
}

#[tokio::test]
async fn nothing_that_was_made_of_them_shows_them() {
    let logs = Logs::capture();
    let server = private_redis().await;
    let mut raw = raw_redis(&server.url()).await;
    let set = redis::cmd("CONFIG").arg("SET").arg("requirepass").arg(PASSWORD).query_async(&mut raw).await;
    let () = set.unwrap();
    let url = server.url().replace("redis://", &format!("redis://:{PASSWORD}@"));
    let redstream = Redstream::connect(ConnectOptions::new(url)).await.unwrap();
    let stream = redstream.stream("products").unwrap();
    let shown = format!(
        "{redstream:?} {:?} {stream:?} {:?} {:?} {:?} {:?}",
        redstream.producer(),
        stream.delayer(Duration::from_secs(300)),
        stream.trimmer(),
        stream.offsets(),
        stream.dead_letters("search"),
    );
    assert!(!shown.contains(PASSWORD), "{shown}");
    redstream.producer().queue(stream.name(), &1).await.unwrap();
    assert!(!logs.text().contains(PASSWORD));
}
