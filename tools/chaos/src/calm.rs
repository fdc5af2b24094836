//! Whether the faults of the schedule are over, as a process knows it.

use std::sync::atomic::{AtomicBool, Ordering};

/// The line that is sent to a process.
pub(crate) const CALM: &str = "calm";

static CALMED: AtomicBool = AtomicBool::new(false);

/// Whether they are over.
pub(crate) fn is_calm() -> bool {
    CALMED.load(Ordering::SeqCst)
}

/// Records that they are over.
pub(crate) fn calm_down() {
    CALMED.store(true, Ordering::SeqCst);
}
