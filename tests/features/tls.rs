//! Prints the error of a URL that asks for TLS, in a program built without it: whether its type says so, and its text.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use redstream_seaorm::core::Error;

fn main() {
    let connecting = pin!(redstream_seaorm::Redstream::connect("rediss://:secret@127.0.0.1:1/"));
    match connecting.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Err(error)) => println!("{} {error}", matches!(error, Error::TlsNotBuiltIn)),
        other => println!("no error: {}", matches!(other, Poll::Pending)),
    }
}
