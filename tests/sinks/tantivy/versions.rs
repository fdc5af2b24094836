//! Versions, tombstones, and what stays over a restart.

use tantivy::IndexWriter;

use super::*;
use crate::support::eventually;

#[tokio::test]
async fn an_equal_version_is_taken_and_an_older_one_is_superseded() {
    let sink = sink_on(&Disk::default());
    sink.write(changes(5, [(1, "Ulm"), (2, "Bonn")], &[])).await.unwrap();
    sink.write(changes(5, [(1, "Ulm again")], &[])).await.unwrap();
    let (failed, _) = failures_of(sink.write(changes(4, [(1, "late"), (3, "new")], &[2])).await);
    assert_eq!(failed, "2 records were not written, the first of them {\"id\":1}: the datastore has a higher version");
    assert_eq!(documents(&sink), named(&[(1, "Ulm again"), (2, "Bonn"), (3, "new")]), "the others are written");
}

#[tokio::test]
async fn versions_and_tombstones_stay_over_a_restart() {
    let disk = Disk::default();
    let sink = sink_on(&disk);
    sink.write(changes(5, [(1, "Ulm")], &[])).await.unwrap();
    sink.write(changes(9, [(4, "Trier")], &[2])).await.unwrap();
    drop(sink);
    let sink = sink_on(&disk);
    // The thread of the last write has the writer for a moment longer.
    eventually(SOON, "the lock", async || sink.prepare().is_ok()).await;
    let late = sink.write(changes(4, [(1, "late"), (2, "late"), (3, "new")], &[4])).await;
    assert!(failures_of(late).0.starts_with("3 records were not written"));
    assert_eq!(documents(&sink), named(&[(1, "Ulm"), (3, "new"), (4, "Trier")]));
}

#[tokio::test]
async fn a_deleted_record_leaves_a_tombstone_that_only_queries_for_all_documents_find() {
    let sink = sink_on(&Disk::default());
    sink.write(changes(1, [(1, "Ulm"), (2, "Bonn")], &[])).await.unwrap();
    sink.write(changes(2, [], &[1, 7])).await.unwrap();
    assert_eq!(documents(&sink), named(&[(2, "Bonn")]));
    assert_eq!(all(&sink), 3);
    let (failed, _) = failures_of(sink.write(changes(1, [(1, "late"), (7, "late")], &[])).await);
    assert!(failed.ends_with("the datastore has a higher version"), "{failed}");
    sink.write(changes(3, [(1, "Ulm anew")], &[])).await.unwrap();
    assert_eq!(documents(&sink), named(&[(1, "Ulm anew"), (2, "Bonn")]));
    assert_eq!(all(&sink), 3, "the document takes the place of the tombstone");
}

#[tokio::test]
async fn old_tombstones_are_removed_and_recent_ones_stay() {
    let disk = Disk::default();
    let (schema, _) = schema();
    let own = OwnFields::of(&schema).unwrap();
    let index = Index::open_or_create(disk.clone(), schema).unwrap();
    // Of 1970; a sink has no such one.
    let mut writer: IndexWriter = index.writer_with_num_threads(1, 15_000_000).unwrap();
    let field = |name| index.schema().get_field(name).unwrap();
    let old = doc!(field("_key") => vec![0_u8], field("_version") => 3_u64, field("_deleted") => 5_u64);
    writer.add_document(old).unwrap();
    writer.commit().unwrap();
    drop(writer);
    assert_eq!(OwnFields::of(&index.schema()).unwrap(), own);

    let sink = sink_on(&disk);
    assert_eq!(all(&sink), 1);
    sink.write(changes(4, [(1, "Ulm")], &[2])).await.unwrap();
    assert_eq!((all(&sink), documents(&sink)), (2, named(&[(1, "Ulm")])));
    failures_of(sink.write(changes(3, [(2, "late")], &[])).await);
}

#[tokio::test]
async fn keys_of_other_spellings_are_deleted_and_a_written_key_is_not() {
    let sink = sink_on(&Disk::default());
    sink.write(changes(1, [(1, "Ulm"), (2, "Bonn")], &[])).await.unwrap();
    let respelled = vec![Key::new(2), Key::new(1), Key::new(2)];
    sink.write(Changes { respelled, ..changes(2, [(1, "first"), (1, "last")], &[]) }).await.unwrap();
    assert_eq!((documents(&sink), all(&sink)), (named(&[(1, "last")]), 2));
}

#[tokio::test]
async fn a_batch_that_changes_nothing_is_not_committed() {
    let disk = Disk::default();
    let sink = sink_on(&disk);
    sink.write(changes(2, [(1, "Ulm")], &[])).await.unwrap();
    let commits = disk.commits();
    failures_of(sink.write(changes(1, [(1, "late")], &[])).await);
    sink.write(changes(3, [], &[])).await.unwrap();
    assert_eq!(disk.commits(), commits);
}
