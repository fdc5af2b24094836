//! One is killed, the other takes over when the lock expires.

use super::standby::Standby;
use crate::key::Id;
use crate::place::Place;
use crate::rounds::Rounds;
use crate::row::{Measure, Question, Row};
use crate::statistics::percentile;
use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use redstream_core::{Redstream, Stream, WorkerState};
use redstream_processes::{Process, job, report};
use std::time::{Duration, Instant};

const QUESTION: Question = Question {
    name: "takeover",
    path: "takeover after SIGKILL, p99: killed → the standby's handler called",
    yardstick: "the lock's TTL",
    unit: "ms",
    measure: Measure::Beyond,
    floor: 150.0,
    aim: 50.0,
};

const TTL: Duration = Duration::from_secs(1);

/// Streams whose consumers are killed at once.
const STREAMS: usize = 20;

pub(super) async fn rows(place: &Place) -> Result<Vec<Row>> {
    let mut rounds = Rounds::default();
    for _ in 0..place.rounds() {
        let redstream = place.fresh().await?;
        let streams = streams(&redstream)?;
        let mut victim = victim(place).await?;
        let mut standbys: Vec<Standby> = streams.iter().map(|stream| Standby::start(stream, TTL)).collect();
        try_join_all(standbys.iter().map(|standby| standby.is(WorkerState::Standby))).await?;
        tokio::time::sleep(TTL).await;
        let killed = Instant::now();
        victim.kill().await?;
        for stream in &streams {
            redstream.producer().queue(stream.name(), &Id { id: 1 }).await?;
        }
        let mut took = Vec::new();
        for standby in &mut standbys {
            took.push(standby.called().await?.duration_since(killed).as_secs_f64() * 1e3);
            standby.stop();
        }
        for standby in standbys {
            standby.ended().await?;
        }
        rounds.add(percentile(took, 0.99), TTL.as_secs_f64() * 1e3, None);
    }
    Ok(vec![QUESTION.answer(&rounds)])
}

/// A process whose consumers hold the locks.
async fn victim(place: &Place) -> Result<Process> {
    let mut again = Process::again()?;
    let (process, mut reports) = Process::start(again.arg("--victim"), &place.redis_url()).await?;
    let (): () = reports.next().await.context("the process that was to be killed ended before")?;
    Ok(process)
}

/// The main function of that process: reports when it holds all locks, and keeps them until it is killed.
pub(crate) async fn be_victim() -> Result<()> {
    let (url, end): (String, _) = job()?;
    let redstream = Redstream::connect(url).await?;
    let consumers: Vec<Standby> = streams(&redstream)?.iter().map(|stream| Standby::start(stream, TTL)).collect();
    try_join_all(consumers.iter().map(|consumer| consumer.is(WorkerState::Idle))).await?;
    report(&())?;
    end.cancelled().await;
    Ok(())
}

fn streams(redstream: &Redstream) -> Result<Vec<Stream>> {
    Ok((0..STREAMS).map(|n| redstream.stream(format!("taken-over-{n}"))).collect::<Result<_, _>>()?)
}
