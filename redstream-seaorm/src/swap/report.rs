//! What a swap did.

/// What a [`Swap`](crate::Swap) did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a run that ended by the shutdown or was aborted is no error: see `is_switched`"]
pub struct SwapReport {
    /// Whether the searches use the new index now.
    pub is_switched: bool,
    /// The index that they used before; `None` if there was none, or if an earlier run has switched.
    pub replaced: Option<String>,
    /// Whether the [replaced](crate::Swap::replaces) consumer is forgotten; `false` if none is named. If it still runs,
    /// stop it and run the swap again.
    pub is_retired: bool,
    /// How many keys were queued.
    pub queued: u64,
    /// How many documents the new index had from before its consumer was registered, and that were not written since:
    /// their keys were queued, too, and the consumer deleted those without a row.
    pub left_over: u64,
}

impl SwapReport {
    /// The searches use what they used before.
    pub(super) fn unfinished(queued: u64) -> Self {
        Self { is_switched: false, replaced: None, is_retired: false, queued, left_over: 0 }
    }
}
