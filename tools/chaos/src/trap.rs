//! Traps: at the n-th crossing of a point the process kills itself, stops itself, or makes the harness kill Redis.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use redstream_seaorm::core::chaos;
use rustix::process::{Signal, getpid, kill_process};

use crate::calm::is_calm;
use crate::words::{Act, Trap, Word, say};

/// The point of a trap that counts the crossings of all points.
pub(crate) const ANY: &str = "any";

/// Watches every point of this process: reports each crossing, and triggers the trap until the faults are over.
pub(crate) fn set(trap: Option<Trap>) {
    let crossings: Mutex<HashMap<&'static str, u32>> = Mutex::default();
    chaos::watch(move |point| {
        say(&Word::Crossed(point.to_owned()));
        let [nth, nth_of_all] = [point, ANY].map(|point| {
            let mut crossings = crossings.lock().unwrap_or_else(PoisonError::into_inner);
            let nth = crossings.entry(point).or_default();
            *nth += 1;
            *nth
        });
        let is_reached =
            |trap: &&Trap| (trap.point == point && trap.nth == nth) || (trap.point == ANY && trap.nth == nth_of_all);
        let Some(trap) = trap.as_ref().filter(is_reached) else { return };
        if !is_calm() {
            say(&Word::Trapped { point: point.to_owned(), act: trap.act });
            spring(trap.act);
        }
    });
}

fn spring(act: Act) {
    match act {
        Act::Kill => signal(Signal::KILL),
        Act::Stop(_) => signal(Signal::STOP),
        Act::KillAfter(micros) => {
            thread::spawn(move || {
                thread::sleep(Duration::from_micros(micros));
                signal(Signal::KILL);
            });
        }
        // This process does not continue until Redis is dead.
        Act::KillRedis(_) => thread::sleep(Duration::from_millis(40)),
    }
}

fn signal(signal: Signal) {
    if let Err(error) = kill_process(getpid(), signal) {
        tracing::error!(%error, "a process cannot signal itself");
    }
}
