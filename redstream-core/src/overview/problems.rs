//! What is wrong, as far as Redis shows it: each with its cause and its cure.

use std::cmp::Reverse;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::{ConsumerOverview, ConsumerState, Overview, ServerOverview, StreamOverview};
use crate::reindex::ReindexState;

/// From this age on a backlog is a problem, and a delay message is overdue by it.
const LATE: Duration = Duration::from_secs(60);

/// From this age on what is being worked off is one, too.
const FAR_BEHIND: Duration = Duration::from_secs(300);

/// Assumed if no delayer ever published its delay.
const USUAL_DELAY: Duration = Duration::from_secs(300);

/// How bad a [`Problem`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Severity {
    /// It may be intended.
    Note,
    /// It becomes an error, or changes arrive late.
    Warning,
    /// Changes do not arrive, or can be lost.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// Something that needs a person: see [`Overview::problems`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// A stable name of its kind, such as `no_delayer`.
    pub kind: &'static str,
    /// Where: a stream, a stream and its consumer with a slash in between, or the address of a server.
    pub place: String,
    /// What is seen, and what it means.
    pub cause: String,
    /// What to do.
    pub cure: String,
}

struct Problems<'a> {
    place: &'a str,
    found: Vec<Problem>,
}

impl Problems<'_> {
    fn add(&mut self, severity: Severity, kind: &'static str, cause: impl Into<String>, cure: impl Into<String>) {
        let place = self.place.to_owned();
        self.found.push(Problem { severity, kind, place, cause: cause.into(), cure: cure.into() });
    }
}

impl Overview {
    /// What needs a person, the worst first: settings of the servers with which they lose messages, workers that no
    /// host runs, consumers that are paused, behind or have dead letters, reindexes that rest.
    ///
    /// It sees what is in Redis. Whether the rows and their documents agree is known by a verification.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        for server in &self.servers {
            let mut problems = Problems { place: &server.address, found: Vec::new() };
            of_server(server, &mut problems);
            found.append(&mut problems.found);
        }
        for unreadable in &self.unreadable {
            let mut problems = Problems { place: unreadable.name.as_str(), found: Vec::new() };
            problems.add(Severity::Error, "unreadable", unreadable.error.clone(), "see the error");
            found.append(&mut problems.found);
        }
        for stream in &self.streams {
            let mut problems = Problems { place: stream.name.as_str(), found: Vec::new() };
            of_stream(stream, &mut problems);
            found.append(&mut problems.found);
            for consumer in &stream.consumers {
                let place = format!("{}/{}", stream.name, consumer.name);
                let mut problems = Problems { place: &place, found: Vec::new() };
                of_consumer(consumer, &mut problems);
                found.append(&mut problems.found);
            }
        }
        found.sort_by_key(|problem| Reverse(problem.severity));
        found
    }
}

fn of_server(server: &ServerOverview, problems: &mut Problems<'_>) {
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

fn of_stream(stream: &StreamOverview, problems: &mut Problems<'_>) {
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

fn of_consumer(consumer: &ConsumerOverview, problems: &mut Problems<'_>) {
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
            "nothing, if it is of the gem; otherwise run it again, or remove its offset",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{MessageId, StreamName};
    use crate::overview::{DelayerOverview, Unreadable};

    fn server() -> ServerOverview {
        ServerOverview {
            address: "redis:6379".to_owned(),
            name: None,
            version: None,
            uptime_seconds: None,
            used_memory: Some(50),
            max_memory: Some(100),
            eviction_policy: Some("noeviction".to_owned()),
            append_only_file: Some(true),
            clients: None,
            replicas: None,
        }
    }

    fn consumer() -> ConsumerOverview {
        ConsumerOverview {
            name: "search".to_owned(),
            is_registered: true,
            identity: None,
            state: ConsumerState::Running,
            offset: None,
            lag: 0,
            lag_is_more: false,
            behind: None,
            dead_letters: 0,
            registered_at: Some(0),
        }
    }

    fn stream() -> StreamOverview {
        StreamOverview {
            name: StreamName::new("books").unwrap(),
            at: 1_000_000,
            entries: 10,
            last_id: MessageId::MIN,
            oldest: Some(Duration::from_secs(10)),
            delayer: DelayerOverview { runs: true, delay: None, entries: 1, oldest: None, dead_letters: 0 },
            trimmer_runs: true,
            consumers: vec![consumer()],
            reindexes: Vec::new(),
            bytes: None,
        }
    }

    fn found(servers: Vec<ServerOverview>, stream: StreamOverview) -> Vec<(Severity, &'static str, String)> {
        let overview = Overview { namespace: None, servers, streams: vec![stream], unreadable: Vec::new() };
        overview.problems().into_iter().map(|one| (one.severity, one.kind, one.place)).collect()
    }

    fn with(change: impl FnOnce(&mut StreamOverview)) -> Vec<(Severity, &'static str)> {
        let mut stream = stream();
        change(&mut stream);
        found(vec![server()], stream).into_iter().map(|(severity, kind, _)| (severity, kind)).collect()
    }

    const HOUR: Option<Duration> = Some(Duration::from_secs(3600));

    #[test]
    fn nothing_is_wrong_where_all_is_well() {
        assert_eq!(with(|_| {}), []);
        assert_eq!(with(|stream| stream.delayer.oldest = Some(Duration::from_secs(300))), [], "it waits for its time");
        assert_eq!(with(|stream| stream.consumers[0].behind = Some(Duration::from_secs(59))), []);
    }

    #[test]
    fn settings_that_lose_messages_are_errors() {
        let bad = ServerOverview {
            eviction_policy: Some("allkeys-lru".to_owned()),
            used_memory: Some(90),
            append_only_file: Some(false),
            ..server()
        };
        let kinds: Vec<_> = found(vec![bad], stream()).into_iter().map(|(_, kind, place)| (kind, place)).collect();
        assert_eq!(kinds, ["eviction", "no_append_only_file", "memory"].map(|kind| (kind, "redis:6379".to_owned())));
        let unlimited =
            ServerOverview { eviction_policy: Some("allkeys-lru".to_owned()), max_memory: Some(0), ..server() };
        assert_eq!(found(vec![unlimited], stream()), [], "without a limit nothing is evicted");
    }

    #[test]
    fn workers_that_no_host_runs_are_missed() {
        let missing = |oldest| with(|stream| (stream.delayer.runs, stream.delayer.oldest) = (false, oldest));
        assert_eq!(missing(HOUR), [(Severity::Error, "no_delayer")]);
        assert_eq!(missing(None), [(Severity::Warning, "no_delayer")]);
        assert_eq!(with(|stream| stream.delayer.oldest = HOUR), [(Severity::Warning, "delayer_late")]);
        let untrimmed = |stream: &mut StreamOverview| (stream.trimmer_runs, stream.oldest) = (false, HOUR);
        assert_eq!(with(untrimmed), [(Severity::Warning, "no_trimmer")]);
        let held = with(|stream| {
            untrimmed(stream);
            stream.consumers[0].behind = HOUR;
        });
        assert_eq!(held, [(Severity::Warning, "far_behind")], "the trimmer could remove nothing");
        assert_eq!(with(|stream| stream.consumers.clear()), [(Severity::Warning, "no_consumer")]);
    }

    #[test]
    fn a_consumer_that_is_behind_is_paused_or_at_work_or_nowhere() {
        let behind = |state| with(|stream| (stream.consumers[0].behind, stream.consumers[0].state) = (HOUR, state));
        assert_eq!(behind(ConsumerState::Stopped), [(Severity::Error, "no_worker")]);
        assert_eq!(behind(ConsumerState::Running), [(Severity::Warning, "far_behind")]);
        assert_eq!(behind(ConsumerState::Paused), [(Severity::Warning, "paused")]);
        let paused = with(|stream| stream.consumers[0].state = ConsumerState::Paused);
        assert_eq!(paused, [(Severity::Note, "paused")]);
        assert_eq!(with(|stream| stream.consumers[0].dead_letters = 1), [(Severity::Error, "dead_letters")]);
        assert_eq!(with(|stream| stream.consumers[0].is_registered = false), [(Severity::Note, "not_registered")]);
    }

    #[test]
    fn a_stream_that_cannot_be_read_is_an_error() {
        let unreadable = Unreadable { name: StreamName::new("books").unwrap(), error: "no".to_owned() };
        let overview = Overview { namespace: None, servers: vec![], streams: vec![], unreadable: vec![unreadable] };
        assert_eq!((overview.problems()[0].kind, overview.problems()[0].cause.as_str()), ("unreadable", "no"));
    }
}
