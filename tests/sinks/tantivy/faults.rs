//! What fails alone, what fails as a whole, and writes whose futures are dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use super::*;
use crate::support::{cut, eventually};

#[tokio::test]
async fn a_record_without_a_document_fails_alone_and_the_writer_goes_on() {
    let sink = sink_on(&Disk::default());
    let written = sink.write(changes(1, [(1, "Ulm"), (2, "!"), (3, "number"), (4, "Bonn")], &[])).await;
    let (failed, first) = failures_of(written);
    assert_eq!(failed, "2 records were not written, the first of them {\"id\":2}");
    assert_eq!(first, "no document could be made of the record `2`");
    assert_eq!(documents(&sink), named(&[(1, "Ulm"), (4, "Bonn")]));
    let (_, first) = failures_of(sink.write(changes(2, [(3, "number")], &[])).await);
    assert!(first.starts_with("the field `name` of the document `3` must be of the type Str"), "{first}");
    // Corrected, they are written by the same version.
    sink.write(changes(1, [(2, "Trier"), (3, "Mainz")], &[])).await.unwrap();
    assert_eq!(documents(&sink).len(), 4);
}

#[tokio::test]
async fn a_panic_of_the_applications_function_fails_the_batch_and_nothing_else() {
    let (schema, name) = schema();
    let sink =
        TantivySink::<city::Entity>::builder(Index::create_in_ram(schema)).build(move |_, city: &city::Model| {
            assert_ne!(city.name, "panic");
            Ok(doc!(name => city.name.as_str()))
        });
    let sink = sink.unwrap();
    assert!(matches!(error_of(sink.write(changes(1, [(1, "panic")], &[])).await), Error::Ended));
    sink.write(changes(1, [(1, "Ulm")], &[])).await.unwrap();
    assert_eq!(documents(&sink), named(&[(1, "Ulm")]));
}

#[test]
fn a_schema_without_the_sinks_fields_is_refused() {
    let mut schema = Schema::builder();
    schema.add_text_field("name", STRING);
    let index = Index::create_in_ram(schema.build());
    let error = TantivySink::<city::Entity>::builder(index).build(|_, _: &city::Model| Ok(doc!())).unwrap_err();
    assert!(error.to_string().starts_with("the field `_key` of the index's schema is missing"), "{error}");
}

#[tokio::test]
async fn a_second_writer_is_an_error_until_the_first_one_is_gone() {
    let disk = Disk::default();
    let (first, second) = (sink_on(&disk), sink_on(&disk));
    first.write(changes(9, [(1, "Ulm")], &[])).await.unwrap();
    let error = error_of(second.write(changes(8, [(1, "late")], &[])).await);
    assert!(matches!(error, Error::Locked { .. }), "{error:?}");
    assert!(matches!(second.prepare(), Err(Error::Locked { .. })));
    drop(first);
    // The thread of the last write has the writer for a moment longer.
    eventually(SOON, "the lock", async || second.prepare().is_ok()).await;
    // It reads what the first one wrote.
    failures_of(second.write(changes(8, [(1, "late")], &[])).await);
    assert_eq!(documents(&second), named(&[(1, "Ulm")]));
}

#[tokio::test]
async fn a_batch_fails_as_a_whole_if_the_disk_fails_and_the_next_attempt_succeeds() {
    let disk = Disk::default();
    let sink = sink_on(&disk);
    sink.write(changes(1, [(1, "Ulm"), (2, "Bonn")], &[])).await.unwrap();
    let mut failed = 0;
    for operations in 0..40 {
        disk.fail_after(operations);
        let version = 2 + operations as u64;
        let batch = || changes(version, [(1, if version.is_multiple_of(2) { "even" } else { "odd" })], &[2]);
        if let Err(error) = sink.write(batch()).await {
            assert!(matches!(error_of(Err(error)), Error::Index { .. }));
            failed += 1;
            // What failed is either as before or as after, and never half of it.
            assert!(documents(&sink).iter().any(|(id, _)| *id == 1));
            sink.write(batch()).await.unwrap();
        }
        assert_eq!(
            documents(&sink),
            named(&[(1, if version.is_multiple_of(2) { "even" } else { "odd" })]),
            "{operations}"
        );
    }
    assert!(failed >= 5, "{failed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_future_is_dropped_is_finished() {
    let sink = sink_on(&Disk::default());
    for pending in 1..3 {
        let name = format!("{pending}");
        assert!(cut(sink.write(changes(pending, [(1, name.as_str())], &[])), 1).await.is_none());
        let finished = async || documents(&sink) == named(&[(1, name.as_str())]);
        eventually(SOON, "the dropped write", finished).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_at_the_same_time_share_a_commit() {
    let (disk, built) = (Disk::default(), Arc::new(AtomicUsize::new(0)));
    let (schema, name) = schema();
    let index = Index::open_or_create(disk.clone(), schema).unwrap();
    let count = Arc::clone(&built);
    let sink = TantivySink::builder(index).build(move |_, city: &city::Model| {
        count.fetch_add(1, SeqCst);
        Ok(doc!(name => city.name.as_str()))
    });
    let sink = sink.unwrap();
    sink.prepare().unwrap();
    let before = disk.commits();
    disk.hold_commits();
    let writes: Vec<_> = (1..=8)
        .map(|id| {
            let sink = sink.clone();
            tokio::spawn(async move { sink.write(changes(1, [(id, "Bonn")], &[])).await })
        })
        .collect();
    // The documents of all are built while the first one's commit is held.
    eventually(SOON, "all documents", async || built.load(SeqCst) == 8).await;
    disk.release_commits();
    for write in writes {
        write.await.unwrap().unwrap();
    }
    assert_eq!(documents(&sink).len(), 8);
    let commits = disk.commits() - before;
    assert!(commits < 8, "{commits}");
}
