//! A standby takes over from one that stops, and from one that is killed.

use crate::place::Place;
use crate::row::Row;
use anyhow::Result;

pub(crate) mod killed;
mod released;
mod spreading;
mod standby;

pub(crate) async fn released(place: &Place) -> Result<Vec<Row>> {
    released::rows(place).await
}

pub(crate) async fn killed(place: &Place) -> Result<Vec<Row>> {
    killed::rows(place).await
}

pub(crate) async fn spreading(place: &Place) -> Result<Vec<Row>> {
    spreading::rows(place).await
}
