//! Child processes that are given a job and report, usually the same program started again.
//!
//! - The first line of a child's standard input is its job, as JSON. A command line would show it to every user of the
//!   machine, a database's password included.
//! - More lines may follow while it works.
//! - The end of its standard input tells it to stop, so it also stops if its parent dies.
//! - It reports in lines of JSON on its standard output. Other lines may come in between.
//!
//! The parent's side is [`Process`], the child's [`job`] and [`report`].

mod child;
mod parent;

pub use child::{job, job_and_lines, report};
pub use parent::{Input, Line, Process, Reports};
