//! What is looked for: in a server, in a stream, in a consumer.

use std::time::Duration;

use super::{Problems, Severity};
use crate::overview::{ConsumerOverview, ConsumerState, Orphan, ServerOverview, StreamOverview};
use crate::reindex::ReindexState;

/// From this age on a backlog is a problem, and a delay message is overdue by it.
const LATE: Duration = Duration::from_secs(60);

/// From this age on what is being worked off is one, too.
const FAR_BEHIND: Duration = Duration::from_secs(300);

/// Assumed if no delayer ever published its delay.
const USUAL_DELAY: Duration = Duration::from_secs(300);

pub(super) fn of_server(server: &ServerOverview, problems: &mut Problems<'_>) {
    let limit = server.max_memory.filter(|limit| *limit > 0);
    if let (Some(_), Some(policy)) = (limit, server.eviction_policy.as_deref().filter(|policy| *policy != "noeviction"))
    {
        problems.add(
            Severity::Error,
            "eviction",
            format!("maxmemory-policy {policy}: Redis removes messages, offsets and locks when its memory is full"),
            "set maxmemory-policy noeviction, and use another Redis for caches",
        );
    }
    if let (Some(limit), Some(used)) = (limit, server.used_memory)
        && used > limit / 10 * 8
    {
        problems.add(
            Severity::Warning,
            "memory",
            format!("{used} of {limit} bytes are in use: when it is full, saves fail or go to the outbox"),
            "raise maxmemory, or find out which consumer is behind and keeps messages from being trimmed",
        );
    }
    if server.append_only_file == Some(false) {
        problems.add(
            Severity::Error,
            "no_append_only_file",
            "there is no append-only file: a restart loses what was written after the last snapshot",
            "set appendonly yes, and appendfsync always unless replicas confirm delay messages",
        );
    }
}

pub(super) fn of_stream(stream: &StreamOverview, problems: &mut Problems<'_>) {
    let delayer = &stream.delayer;
    let delay = delayer.delay.unwrap_or(USUAL_DELAY);
    if let Some(overdue) = delayer.oldest.and_then(|oldest| oldest.checked_sub(delay)).filter(|overdue| *overdue > LATE)
    {
        let cause = format!(
            "delay messages are overdue by {} s: a change whose main message was lost does not arrive",
            overdue.as_secs()
        );
        if delayer.runs {
            problems.add(Severity::Warning, "delayer_late", cause, "a delayer runs: look into its log for what fails");
        } else {
            let cure = "run `stream.delayer(…)`, or `redstream.workers(&db)`, which adds it";
            problems.add(Severity::Error, "no_delayer", cause, cure);
        }
    } else if !delayer.runs && (delayer.entries > 0 || stream.entries > 0) {
        let cause = "no delayer runs: a change whose main message is lost will not arrive";
        let cure = "run `stream.delayer(…)`, or `redstream.workers(&db)`, which adds it";
        problems.add(Severity::Warning, "no_delayer", cause, cure);
    }
    if delayer.dead_letters > 0 {
        problems.add(
            Severity::Note,
            "delayer_dead_letters",
            format!("{} entries of the delay stream are no messages of Redstream", delayer.dead_letters),
            "find out what writes to it; look at them by `Stream::delayer_dead_letters`, and discard them",
        );
    }
    let is_behind = |consumer: &ConsumerOverview| consumer.behind.is_some() && consumer.behind == stream.oldest;
    let is_held = stream.consumers.iter().any(is_behind);
    if !stream.trimmer_runs
        && !is_held
        && stream.oldest.is_some_and(|oldest| oldest > LATE)
        && !stream.consumers.is_empty()
    {
        problems.add(
            Severity::Warning,
            "no_trimmer",
            "messages that every consumer has committed stay, and no trimmer runs: Redis fills up",
            "run `stream.trimmer()`, or `redstream.workers(&db)`, which adds it",
        );
    }
    if stream.consumers.is_empty() && stream.entries > 0 {
        problems.add(
            Severity::Warning,
            "no_consumer",
            "messages are written, and no consumer was ever registered: nothing follows these changes",
            "run a consumer, or register its name by `Stream::register` so that messages are kept for it",
        );
    }
    for reindex in &stream.reindexes {
        let place = format!("the reindex {:?} of {}", reindex.id, reindex.entity);
        // By the clock of the process that writes the record: only a long rest says something.
        let rests = Duration::from_millis(stream.at.saturating_sub(reindex.updated_at));
        match reindex.state {
            ReindexState::Paused => problems.add(
                Severity::Note,
                "reindex_paused",
                format!("{place} is paused after {} of {} keys", reindex.queued, reindex.estimate),
                "resume or abort it",
            ),
            ReindexState::Queued | ReindexState::Running if rests > FAR_BEHIND => problems.add(
                Severity::Warning,
                "reindex_rests",
                format!("{place} has queued nothing for {} s: its process has ended", rests.as_secs()),
                "run it again with the same id: it continues where it was; or abort it",
            ),
            _ => {}
        }
    }
}

pub(super) fn of_consumer(consumer: &ConsumerOverview, problems: &mut Problems<'_>) {
    let behind = consumer.behind.filter(|behind| *behind > LATE);
    let seconds = behind.unwrap_or_default().as_secs();
    let backlog =
        format!("{}{} messages, the oldest of {seconds} s", consumer.lag, if consumer.lag_is_more { "+" } else { "" });
    if consumer.dead_letters > 0 {
        problems.add(
            Severity::Error,
            "dead_letters",
            format!(
                "{} messages could not be handled: their changes are missing in what it feeds",
                consumer.dead_letters
            ),
            "look at their errors, mend the cause, then redrive them",
        );
    }
    if matches!(consumer.state, ConsumerState::Paused | ConsumerState::Pausing) {
        let severity = if behind.is_some() { Severity::Warning } else { Severity::Note };
        problems.add(severity, "paused", format!("an operator paused it; waiting: {backlog}"), "resume it");
    } else if behind.is_some() && consumer.state == ConsumerState::Stopped {
        problems.add(
            Severity::Error,
            "no_worker",
            format!("no host runs it; waiting: {backlog}"),
            "start its application; or forget it if it is retired, since trimming waits for it",
        );
    } else if behind.is_some_and(|behind| behind > FAR_BEHIND) {
        problems.add(
            Severity::Warning,
            "far_behind",
            format!("it is at work and far behind: {backlog}"),
            "see its log for failures; if there are none, use larger batches, a faster sink, or shards",
        );
    }
    if !consumer.is_registered {
        problems.add(
            Severity::Note,
            "not_registered",
            "it has an offset and is not registered: a consumer of the Ruby gem, or one that was forgotten while it ran; trimming does \
             not wait for it",
            "nothing, if it is of the gem; otherwise run it again, or remove its offset: `redstream forget STREAM CONSUMER`",
        );
    }
}

pub(super) fn of_orphan(orphan: &Orphan, problems: &mut Problems<'_>) {
    match orphan {
        Orphan::DeadLetters { stream, consumer, count } => problems.add(
            Severity::Note,
            "orphaned_dead_letters",
            format!("{count} dead letters of a consumer that was forgotten"),
            format!("`redstream dead discard {stream} {consumer}` drops them; to handle them, run it again, then redrive them"),
        ),
        Orphan::Reindexes { stream } => problems.add(
            Severity::Note,
            "orphaned_reindexes",
            "records of reindexes of a stream that has no messages and no consumer",
            format!("`redstream reindex list {stream}` shows them; abort what is not done, and forget them"),
        ),
    }
}
