//! A search index that follows the items, in some schedules: filled by a reindex, replaced by swaps, and compared with
//! the rows in the end.
//!
//! - `plan` is what is done to it, `draw` draws it from the seed;
//! - `site` is what a process is told of it, `index` its sink and its mapping;
//! - `operator` is the process that runs the reindex and the swaps, one step in each life; `keeper` starts it again,
//!   and deploys the hosts for each step;
//! - `state` is what the harness knows of it, `rows` the rows that no writer touches;
//! - `watch` searches all the time; `judge` compares index and table when all is over;
//! - `http` asks the server.

pub(crate) mod draw;
mod http;
pub(crate) mod index;
pub(crate) mod judge;
pub(crate) mod keeper;
pub(crate) mod operator;
pub(crate) mod plan;
pub(crate) mod rows;
pub(crate) mod site;
pub(crate) mod state;
pub(crate) mod watch;
