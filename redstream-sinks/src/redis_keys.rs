//! Keys of a Redis in pages.

use std::collections::BTreeSet;

use redstream_seaorm::RedisClient;
use redstream_seaorm::core::Error;

/// How many keys Redis looks at for one answer.
const LOOKED_AT: usize = 1000;

/// The keys that a page is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys<'k> {
    /// How they begin; what follows is the id.
    pub(crate) prefix: &'k str,
    /// The name of their type, as `SCAN` takes it.
    pub(crate) kind: &'k str,
    /// The last id before the page.
    pub(crate) after: Option<&'k str>,
    /// The last id of the range.
    pub(crate) until: Option<&'k str>,
}

impl Keys<'_> {
    /// The first ids, in the order of their bytes. Goes through all keys of one server.
    pub(crate) async fn first(&self, client: &RedisClient, limit: usize) -> Result<BTreeSet<String>, Error> {
        let pattern = format!("{}*", escaped(self.prefix));
        let mut ids = BTreeSet::new();
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(LOOKED_AT).arg("TYPE").arg(self.kind);
            let (next, keys): (u64, Vec<String>) = client.command("scan the keys", &scan).await?;
            for id in keys.iter().filter_map(|key| key.strip_prefix(self.prefix)) {
                let is_within = self.after.is_none_or(|after| id > after) && self.until.is_none_or(|until| id <= until);
                if is_within && (ids.len() < limit || ids.last().is_some_and(|last: &String| id < last.as_str())) {
                    ids.insert(id.to_owned());
                    if ids.len() > limit {
                        ids.pop_last();
                    }
                }
            }
            if next == 0 {
                return Ok(ids);
            }
            cursor = next;
        }
    }
}

/// A text that stands for itself in a pattern of Redis.
fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\' | '^') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}
