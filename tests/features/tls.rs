//! Prints the result of a URL that asks for TLS, in a program that was built without it.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

fn main() {
    let connecting = pin!(redstream_seaorm::Redstream::connect("rediss://:secret@127.0.0.1:1/"));
    match connecting.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Err(error)) => println!("{error}"),
        other => println!("no error: {}", matches!(other, Poll::Pending)),
    }
}
