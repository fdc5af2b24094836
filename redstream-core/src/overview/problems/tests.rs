//! What is a problem, and what is none.

use std::time::Duration;

use super::{Overview, Severity};
use crate::message::{MessageId, StreamName};
use crate::overview::{
    ConsumerOverview, ConsumerState, DelayerOverview, Orphan, ServerOverview, StreamOverview, Unreadable,
};

pub(super) fn server() -> ServerOverview {
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
        is_cluster: None,
        loads_truncated_file: None,
        default_user_may_all: None,
    }
}

fn consumer() -> ConsumerOverview {
    ConsumerOverview {
        name: "search".to_owned(),
        is_registered: true,
        identity: None,
        state: ConsumerState::Running,
        holder: None,
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
        delayer: DelayerOverview { runs: true, holder: None, delay: None, entries: 1, oldest: None, dead_letters: 0 },
        trimmer_runs: true,
        trimmer_holder: None,
        consumers: vec![consumer()],
        reindexes: Vec::new(),
        bytes: None,
    }
}

fn found(servers: Vec<ServerOverview>, stream: StreamOverview) -> Vec<(Severity, &'static str, String)> {
    let overview =
        Overview { namespace: None, servers, streams: vec![stream], unreadable: Vec::new(), orphans: Vec::new() };
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
    let unlimited = ServerOverview { eviction_policy: Some("allkeys-lru".to_owned()), max_memory: Some(0), ..server() };
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
fn what_is_left_of_consumers_and_streams_is_a_note() {
    let name = StreamName::new("books").unwrap();
    let orphans = vec![
        Orphan::DeadLetters { stream: name.clone(), consumer: "old".to_owned(), count: 3 },
        Orphan::Reindexes { stream: name },
    ];
    let overview = Overview { namespace: None, servers: vec![], streams: vec![], unreadable: vec![], orphans };
    let problems = overview.problems();
    let seen: Vec<_> = problems.iter().map(|one| (one.severity, one.kind, one.place.as_str())).collect();
    let expected = [("orphaned_dead_letters", "books/old"), ("orphaned_reindexes", "books")];
    assert_eq!(seen, expected.map(|(kind, place)| (Severity::Note, kind, place)));
    assert!(problems[0].cause.starts_with("3 ") && problems[0].cure.contains("redstream dead discard books old"));
}

#[test]
fn a_stream_that_cannot_be_read_is_an_error() {
    let unreadable = Unreadable { name: StreamName::new("books").unwrap(), error: "no".to_owned() };
    let overview =
        Overview { namespace: None, servers: vec![], streams: vec![], unreadable: vec![unreadable], orphans: vec![] };
    assert_eq!((overview.problems()[0].kind, overview.problems()[0].cause.as_str()), ("unreadable", "no"));
}
