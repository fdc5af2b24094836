//! Every Redis key, spelled once. The Ruby gem redstream spells the first six the same way.
//!
//! | key | type | what |
//! |---|---|---|
//! | `redstream:stream:products` | stream | main messages |
//! | `redstream:stream:products.delay` | stream | delay messages |
//! | `redstream:offset:products:CONSUMER` | string | id of the last message CONSUMER committed |
//! | `redstream:lock:consumer:products:CONSUMER` | string, TTL | the holder's token |
//! | `redstream:lock:trimmer:products` | string, TTL | the holder's token |
//! | `LOCK.notify` | list, TTL | one element pushed on release: it wakes a standby |
//! | `redstream:consumers:products` | hash | registry: CONSUMER to a JSON note |
//! | `redstream:version:products:CONSUMER` | string | the last version issued |
//! | `redstream:stream:products.dead.CONSUMER` | stream | dead letters |
//!
//! With a namespace, each begins with `NAMESPACE:redstream` in place of `redstream`.

use crate::StreamName;

#[derive(Clone, Debug)]
pub(crate) struct Keys {
    base: String,
}

impl Keys {
    pub(crate) fn new(namespace: Option<&str>) -> Self {
        Self { base: namespace.map_or_else(|| "redstream".to_owned(), |n| format!("{n}:redstream")) }
    }

    pub(crate) fn stream(&self, stream: &StreamName) -> String {
        format!("{}:stream:{stream}", self.base)
    }

    pub(crate) fn delay_stream(&self, stream: &StreamName) -> String {
        self.stream(&stream.delayed())
    }

    pub(crate) fn dead_letters(&self, stream: &StreamName, consumer: &str) -> String {
        format!("{}.dead.{consumer}", self.stream(stream))
    }

    pub(crate) fn offset(&self, stream: &StreamName, consumer: &str) -> String {
        format!("{}:offset:{stream}:{consumer}", self.base)
    }

    pub(crate) fn version(&self, stream: &StreamName, consumer: &str) -> String {
        format!("{}:version:{stream}:{consumer}", self.base)
    }

    pub(crate) fn registry(&self, stream: &StreamName) -> String {
        format!("{}:consumers:{stream}", self.base)
    }

    pub(crate) fn consumer_lock(&self, stream: &StreamName, consumer: &str) -> String {
        format!("{}:lock:consumer:{stream}:{consumer}", self.base)
    }

    pub(crate) fn trimmer_lock(&self, stream: &StreamName) -> String {
        format!("{}:lock:trimmer:{stream}", self.base)
    }

    pub(crate) fn notify(lock: &str) -> String {
        format!("{lock}.notify")
    }
}
