//! The programs of `docs/guides`: each page shows a part of a file here, and a test compares the two.
//!
//! Needs a Redis: the first argument, or `REDIS_URL`, or the one on this machine.
//!
//! ```sh
//! cargo run -p redstream-examples --example guides
//! ```

mod app;
mod city;
mod names;
mod soft_delete;
#[cfg(test)]
mod testing;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::args().nth(1).or_else(|| std::env::var("REDIS_URL").ok());
    let url = url.unwrap_or_else(|| "redis://127.0.0.1/".to_owned());
    println!("into your own app:");
    app::run(&url).await?;
    println!("soft delete:");
    soft_delete::run(&url).await
}

#[cfg(test)]
mod tests {
    use redstream_servers::{REDIS_URL, shared_url};

    #[tokio::test]
    async fn an_application_is_converted_by_three_edits() -> anyhow::Result<()> {
        super::app::run(&shared_url(REDIS_URL)?).await
    }

    #[tokio::test]
    async fn a_soft_deleted_row_has_no_document_until_it_is_restored() -> anyhow::Result<()> {
        super::soft_delete::run(&shared_url(REDIS_URL)?).await
    }
}
