//! Several writers of one index on a real disk, as several processes have them: its lock is by `flock`, which two
//! writers of one process do not share either.

use std::path::Path;

use redstream_seaorm::{KeyRange, Scan as _};
use tantivy::directory::MmapDirectory;

use super::*;

/// The sink of a process.
fn process_on(folder: &Path, releases_lock: bool) -> Cities {
    let (schema, name) = schema();
    let index = Index::open_or_create(MmapDirectory::open(folder).unwrap(), schema).unwrap();
    let mut builder = TantivySink::builder(index).memory_per_thread(15_000_000);
    if releases_lock {
        let folder = folder.to_owned();
        builder = builder.release_lock(move || Index::open_in_dir(&folder));
    }
    builder.build(move |_, city: &city::Model| Ok(doc!(name => city.name.as_str()))).unwrap()
}

async fn scanned(sink: &Cities) -> Vec<i64> {
    let range = KeyRange { after: None, until: None };
    sink.scan(range, 1000).await.unwrap().into_iter().map(|(key, _)| key.value()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_that_release_the_lock_write_in_turns() {
    let folder = tempfile::tempdir().unwrap();
    let processes: Vec<_> = (0..3).map(|_| process_on(folder.path(), true)).collect();
    processes[0].prepare().unwrap();
    let writers = processes.iter().cloned().zip(0..).map(|(process, nth)| {
        tokio::spawn(async move {
            for version in 1..=20_u32 {
                let id = 100 * nth + i64::from(version);
                process.write(changes(version.into(), [(id, "Ulm")], &[id - 2])).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    // Each has deleted all of its own but the last two.
    let left = [19, 20, 119, 120, 219, 220];
    for process in &processes {
        assert_eq!(scanned(process).await, left);
    }
    assert_eq!(documents(&process_on(folder.path(), false)), named(&left.map(|id| (id, "Ulm"))));
}

#[tokio::test]
async fn files_that_another_process_has_merged_away_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (process_on(folder.path(), true), process_on(folder.path(), true));
    for version in 1..=60 {
        let process = if version % 2 == 0 { &one } else { &other };
        process.write(changes(version, [(1, "Ulm")], &[])).await.unwrap();
    }
    let segments = process_on(folder.path(), false).reader().searcher().segment_readers().len();
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert!(files < 12 * (segments + 2), "{files} files of {segments} segments");
}

#[tokio::test]
async fn a_late_write_of_another_process_is_superseded() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (process_on(folder.path(), true), process_on(folder.path(), true));
    one.write(changes(5, [(1, "Ulm"), (2, "Bonn")], &[])).await.unwrap();
    other.write(changes(7, [(1, "Neu-Ulm")], &[2])).await.unwrap();
    failures_of(one.write(changes(6, [(1, "Ulm"), (2, "Bonn"), (3, "Trier")], &[])).await);
    assert_eq!(documents(&process_on(folder.path(), false)), named(&[(1, "Neu-Ulm"), (3, "Trier")]));
}

#[tokio::test]
async fn a_process_that_never_writes_reads_back_what_others_have_written() {
    let folder = tempfile::tempdir().unwrap();
    let (writer, reader) = (process_on(folder.path(), false), process_on(folder.path(), false));
    for (version, id) in [(1, 4), (2, 5), (3, 6)] {
        writer.write(changes(version, [(id, "Ulm")], &[])).await.unwrap();
        assert_eq!(scanned(&reader).await, (4..=id).collect::<Vec<_>>());
    }
}
