//! The walks that fill a new index, and which of them count.

use redstream_core::{Error, Reindexes, Stream};

use super::consumers::registered_at;

/// The id of the walk's record. A walk does not count if the index was removed and created again since, and if its
/// consumer was forgotten and registered again, by any program: then it has missed changes.
pub(super) async fn id(index: &str, identity: &str, consumer: &str, streams: &[Stream]) -> Result<String, Error> {
    let registered_at = registered_at(streams, consumer).await?;
    Ok(format!("{}{identity}.{registered_at}", prefix(index)))
}

/// Ends the walks that have filled this index, and removes their records, but for that of the id `but`.
pub(super) async fn discard(reindexes: &Reindexes, index: &str, but: Option<&str>) -> Result<(), Error> {
    for record in reindexes.list().await? {
        if record.id.starts_with(&prefix(index)) && Some(&*record.id) != but {
            reindexes.abort(&record.id).await?;
            reindexes.forget(&record.id).await?;
        }
    }
    Ok(())
}

/// What the ids of the walks of an index begin with, and of no other index: a slash is in no name of an index.
fn prefix(index: &str) -> String {
    format!("swap.{index}/")
}

#[cfg(test)]
mod tests {
    use super::prefix;

    #[test]
    fn an_index_whose_name_begins_alike_has_other_walks() {
        for (index, other) in [("cities", "cities.2"), ("cities", "cities-2"), ("cities.2", "cities")] {
            assert!(!format!("{}uuid.7", prefix(other)).starts_with(&prefix(index)), "{index}, {other}");
        }
    }
}
