//! The Lua scripts: each does atomically what several commands could not. KEYS and ARGV are described
//! on top of each file in `lua/`.

use std::sync::LazyLock;

use redis::Script;

/// The limit in bytes of what one script reads, and of one message: it bounds the memory that a script uses in Redis,
/// and in the process that gets its reply.
pub(crate) const BUDGET: usize = 16 << 20;

macro_rules! script {
    ($name:ident, $file:literal $(, with $more:literal)?) => {
        pub(crate) static $name: LazyLock<Script> = LazyLock::new(|| {
            let text = concat!(
                include_str!("../lua/prelude.lua"),
                $(include_str!(concat!("../lua/", $more)),)?
                include_str!(concat!("../lua/", $file))
            );
            Script::new(text)
        });
    };
}

script!(REGISTER, "register.lua");
script!(FORGET, "forget.lua");
script!(ACQUIRE, "acquire.lua");
script!(OWNER, "owner.lua");
script!(RENEW, "renew.lua");
script!(TOUCH, "touch.lua");
script!(RELEASE, "release.lua");
script!(COMMIT, "commit.lua");
script!(DELAY, "delay.lua", with "packs.lua");
script!(ANNOUNCE, "announce.lua", with "packs.lua");
script!(TRIM, "trim.lua");
script!(EXPIRE, "expire.lua");
script!(LAST_ID, "last_id.lua");
script!(COUNT, "count.lua", with "packs.lua");
script!(READ, "read.lua", with "packs.lua");
script!(LIGHT, "light.lua");
script!(REDRIVE, "redrive.lua");
script!(REWIND, "rewind.lua");
script!(PAUSE, "pause.lua");
script!(PAUSED, "paused.lua");
script!(LAG, "lag.lua");
script!(NEGLECT, "neglect.lua");
script!(MARK, "mark.lua");
script!(IDENTIFY, "identify.lua");
script!(STANDING, "standing.lua");
script!(REINDEX_RECORD, "reindex_record.lua");
script!(SHARD_HOSTS, "shard_hosts.lua");
script!(OVERVIEW, "overview.lua");
