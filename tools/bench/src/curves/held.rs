//! The memory that Redis uses for each message.

use crate::curve::Curve;
use crate::fill;
use crate::place::Place;
use crate::rows::memory::memory;
use anyhow::Result;
use redstream_core::{NewMessage, Payload};

pub(crate) async fn curve(place: &Place) -> Result<Curve> {
    let mut curve = Curve::new("held", &["payload", "bytes a main message", "messages in 1 GiB, millions"]);
    let count = place.scaled(100_000);
    for (name, size) in [("`{\"id\":123456}`", 13), ("40 B (a UUID)", 40), ("100 B", 100), ("1 KiB", 1024)] {
        let redstream = place.fresh().await?;
        let stream = redstream.stream("held")?;
        fill::readers(&stream).await?;
        let payload = Payload::encode(&"x".repeat(size - 2))?;
        let messages = vec![NewMessage::new(stream.name().clone(), payload); count];
        redstream.producer().queue_all(&messages).await?;
        let each = memory(&mut place.raw().await?, "redstream:stream:held").await? / count as f64;
        let in_a_gib = f64::from(1 << 30) / each / 1e6;
        curve.point([name.to_owned(), format!("{each:.0}"), format!("{in_a_gib:.1}")]);
    }
    Ok(curve)
}
