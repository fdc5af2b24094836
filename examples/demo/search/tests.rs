//! How the index treats versions: an older one changes nothing.

use super::SearchIndex;
use crate::city;

fn city(name: &str) -> city::Model {
    city::Model {
        id: 1,
        name: name.to_owned(),
        country: "NO".to_owned(),
        admin1: "Oslo".to_owned(),
        admin2: String::new(),
        lat: 59.91273,
        lon: 10.74609,
        revision: 0,
    }
}

fn index() -> (tempfile::TempDir, SearchIndex) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let index = SearchIndex::create(folder.path()).expect("an index can be created");
    (folder, index)
}

fn found(index: &SearchIndex) -> Option<city::Model> {
    index.look().expect("the index can be opened").city(1).expect("and searched")
}

#[test]
fn a_city_is_read_back_as_it_was_written() -> tantivy::Result<()> {
    let (_folder, index) = index();
    index.write(1, &[city("Oslo")], &[])?;
    assert_eq!(found(&index), Some(city("Oslo")));
    assert_eq!(index.look()?.hits("oslo")?, 1);
    Ok(())
}

#[test]
fn an_older_version_changes_nothing_and_an_equal_one_is_a_retry() -> tantivy::Result<()> {
    let (_folder, index) = index();
    index.write(2, &[city("Oslo")], &[])?;
    index.write(1, &[city("Christiania")], &[])?;
    index.write(1, &[], &[1])?;
    assert_eq!(found(&index), Some(city("Oslo")));
    index.write(2, &[city("Kristiania")], &[])?;
    assert_eq!(found(&index), Some(city("Kristiania")));
    Ok(())
}

#[test]
fn a_deleted_city_does_not_come_back_by_an_older_version() -> tantivy::Result<()> {
    let (_folder, index) = index();
    index.write(1, &[city("Oslo")], &[])?;
    index.write(3, &[], &[1])?;
    index.write(2, &[city("Oslo")], &[])?;
    assert_eq!(found(&index), None);
    assert!(index.look()?.cities()?.is_empty());
    index.write(4, &[city("Oslo")], &[])?;
    assert_eq!(found(&index), Some(city("Oslo")));
    Ok(())
}
