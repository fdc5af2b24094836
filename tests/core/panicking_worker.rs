//! A worker that panics whenever it is run.

use async_trait::async_trait;
use redstream_core::{CancellationToken, Result, Worker};

pub(crate) struct Restless;

#[async_trait]
impl Worker for Restless {
    fn name(&self) -> String {
        "restless".to_owned()
    }

    async fn run(&self, _: CancellationToken) -> Result<()> {
        panic!("on purpose")
    }
}
