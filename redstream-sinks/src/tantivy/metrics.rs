//! The names of the sink's metrics, for the recorder of the application's choice.
//!
//! | name | kind | labels | counts |
//! |---|---|---|---|
//! | `redstream_tantivy_documents_total` | counter | `entity`, `outcome`: `written`, `deleted`, `superseded`, `failed` | documents by what became of them; superseded: the index has a higher version |
//! | `redstream_tantivy_commits_total` | counter | `entity`, `outcome`: `committed`, `failed` | commits; one has the changes of all writes that waited for it |
//! | `redstream_tantivy_commit_seconds` | histogram | `entity` | time from the first change of a commit until searches find it |
//!
//! `entity` is the name of the entity's table.

/// Documents by what became of them.
pub const DOCUMENTS: &str = "redstream_tantivy_documents_total";
/// Commits by their outcome.
pub const COMMITS: &str = "redstream_tantivy_commits_total";
/// Time of a commit, in seconds.
pub const COMMIT_SECONDS: &str = "redstream_tantivy_commit_seconds";
