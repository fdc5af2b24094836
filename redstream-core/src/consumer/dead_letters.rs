//! Dead letters: messages that a consumer could not handle, stored separately so that the consumer can continue.

mod json;

use std::sync::Arc;

use crate::consumer::registered;
use crate::error::{Error, Result, is_broken};
use crate::keys::DELAYER;
use crate::message::{Message, MessageId, StreamName};
use crate::redstream::Redstream;
use crate::transport::replies::MOST;
use crate::transport::scripts;

/// How many are read per call, which is 16 MiB if each has 1 MiB.
pub(crate) const PAGE: usize = 16;

/// A message that goes to the dead letters.
#[derive(Debug)]
pub(crate) struct Dead {
    pub(crate) message: Message,
    pub(crate) error: String,
    pub(crate) attempts: u32,
    /// The payload is too large to be stored as a whole.
    pub(crate) is_oversized: bool,
}

/// How much of a payload that is too large is stored.
const BEGINNING: usize = 4096;

impl Dead {
    /// The stored payload, and the length of the whole if that is only its beginning.
    pub(crate) fn kept(&self) -> (&[u8], String) {
        let whole = self.message.raw();
        if self.is_oversized && whole.len() > BEGINNING {
            (&whole[..BEGINNING], whole.len().to_string())
        } else {
            (whole, String::new())
        }
    }

    /// The id of the message's entry, and its position there, or nothing for the last one. Two fields, so that the id
    /// is one of an entry for every reader.
    pub(crate) fn place(&self) -> (String, String) {
        let id = self.message.id();
        (id.entry().to_string(), id.index().map(|index| index.to_string()).unwrap_or_default())
    }
}

/// The dead letters of one consumer, from [`Stream::dead_letters`](crate::Stream::dead_letters).
#[derive(Clone, Debug)]
pub struct DeadLetters {
    redstream: Redstream,
    stream: StreamName,
    consumer: Arc<str>,
    /// They belong to the delayer, which is not registered.
    is_delayers: bool,
    dead: Arc<str>,
    main: Arc<str>,
}

/// A message that its consumer could not handle.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Its id among the dead letters.
    pub id: MessageId,
    /// The id of the message that failed.
    pub message_id: MessageId,
    /// The payload, as it was in Redis; only its first 4 KiB if it was larger than
    /// [`max_payload`](crate::Consumer::max_payload) allowed.
    pub payload: Vec<u8>,
    /// How many bytes the whole payload had.
    pub payload_bytes: u64,
    /// The handler's last error.
    pub error: String,
    /// How often it was tried.
    pub attempts: u32,
}

impl DeadLetters {
    pub(crate) fn new(redstream: &Redstream, stream: &StreamName, consumer: &str) -> Self {
        let keys = redstream.keys();
        Self {
            stream: stream.clone(),
            consumer: consumer.into(),
            is_delayers: consumer == DELAYER && stream.as_str().ends_with(".delay"),
            dead: keys.dead_letters(stream, consumer).into(),
            main: keys.stream(stream).into(),
            redstream: redstream.clone(),
        }
    }

    /// How many there are.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchConsumer`] if there are none, and no consumer of that name.
    pub async fn count(&self) -> Result<u64> {
        let count = self.len().await?;
        self.is_known(count > 0).await?;
        Ok(count)
    }

    /// Up to `limit` of them after `after`, oldest first, with their payloads. Begin with
    /// [`MessageId::MIN`].
    ///
    /// # Errors
    ///
    /// As [`count`](Self::count).
    pub async fn list(&self, after: MessageId, limit: usize) -> Result<Vec<DeadLetter>> {
        let page = self.read(after, limit).await?;
        self.is_known(!page.is_empty() || after != MessageId::MIN).await?;
        Ok(page)
    }

    /// The dead letter of a message, by the message's id as the log has it; `None` if it no longer exists.
    ///
    /// # Errors
    ///
    /// As [`count`](Self::count).
    pub async fn of_message(&self, message_id: MessageId) -> Result<Option<DeadLetter>> {
        let (mut after, mut limit) = (MessageId::MIN, PAGE);
        loop {
            let page = self.page(after, &mut limit).await?;
            let Some(last) = page.last().map(|letter| letter.id) else {
                self.is_known(after != MessageId::MIN).await?;
                return Ok(None);
            };
            if let Some(letter) = page.into_iter().find(|letter| letter.message_id == message_id) {
                return Ok(Some(letter));
            }
            after = last;
        }
    }

    /// Errors if nothing in Redis belongs to the consumer: its name may be misspelled.
    async fn is_known(&self, by_a_letter: bool) -> Result<()> {
        let (redstream, stream) = (&self.redstream, &self.stream);
        if by_a_letter || self.is_delayers || registered::has(redstream, stream, &self.consumer).await? {
            return Ok(());
        }
        Err(registered::no_such(redstream, stream, &self.consumer).await?)
    }

    /// As [`count`](Self::count), also for a consumer that is not known.
    pub(crate) async fn len(&self) -> Result<u64> {
        let mut xlen = redis::cmd("XLEN");
        xlen.arg(&*self.dead);
        self.redstream.link().command("count dead letters", &xlen).await
    }

    async fn read(&self, after: MessageId, limit: usize) -> Result<Vec<DeadLetter>> {
        const ATTEMPT: &str = "list dead letters";
        if after == MessageId::MAX {
            return Ok(Vec::new());
        }
        let mut xrange = redis::cmd("XRANGE");
        xrange.arg(&*self.dead).arg(format!("({after}")).arg("+").arg("COUNT").arg(limit.min(MOST));
        let entries: Vec<(String, Vec<Vec<u8>>)> = self.redstream.link().command(ATTEMPT, &xrange).await?;
        let letter = |(id, fields): (String, Vec<Vec<u8>>)| {
            letter(&id, &fields).ok_or_else(|| Error::UnexpectedReply {
                attempt: ATTEMPT.to_owned(),
                reply: "an entry that is no dead letter".to_owned(),
            })
        };
        entries.into_iter().map(letter).collect()
    }

    /// Puts one back into the stream as a new message, only for this consumer: the others have handled it. `id` is the
    /// id of the letter, not of its message; see [`of_message`](Self::of_message). Returns whether it still existed.
    ///
    /// A consumer of the Ruby gem does not support messages for one consumer, and handles it again.
    ///
    /// # Errors
    ///
    /// [`Error::PayloadCut`] if only the beginning of its payload was stored; otherwise as [`count`](Self::count).
    pub async fn redrive(&self, id: MessageId) -> Result<bool> {
        let mut script = scripts::REDRIVE.prepare_invoke();
        script.key(&*self.dead).key(&*self.main).arg(id.to_string()).arg(&*self.consumer);
        let redriven: i8 = self.redstream.link().script("redrive a dead letter", &script).await?;
        if redriven < 0 {
            return Err(Error::PayloadCut { letter: id });
        }
        if redriven == 0 {
            self.is_known(self.len().await? > 0).await?;
            return Ok(false);
        }
        tracing::info!(stream = %self.stream, consumer = &*self.consumer, letter = %id, "a dead letter is put back into the stream");
        Ok(true)
    }

    /// Puts all current ones back into the stream, except those of which only the beginning was stored. Returns how
    /// many.
    ///
    /// # Errors
    ///
    /// As [`count`](Self::count).
    pub async fn redrive_all(&self) -> Result<u64> {
        let whole = |outcome| if matches!(outcome, Err(Error::PayloadCut { .. })) { Ok(false) } else { outcome };
        self.each(|letters, id| async move { whole(letters.redrive(id).await) }).await
    }

    /// Drops one, by the id of the letter. Returns whether it still existed.
    ///
    /// # Errors
    ///
    /// As [`count`](Self::count).
    pub async fn discard(&self, id: MessageId) -> Result<bool> {
        let mut xdel = redis::cmd("XDEL");
        xdel.arg(&*self.dead).arg(id.to_string());
        let was_there: bool = self.redstream.link().command("discard a dead letter", &xdel).await?;
        if !was_there {
            self.is_known(self.len().await? > 0).await?;
        }
        Ok(was_there)
    }

    /// Drops all current ones. Returns how many.
    ///
    /// # Errors
    ///
    /// As [`count`](Self::count).
    pub async fn discard_all(&self) -> Result<u64> {
        self.each(|letters, id| async move { letters.discard(id).await }).await
    }

    /// [`list`](Self::list), with half as many if the connection breaks: Redis may not send a reply as large.
    pub(crate) async fn page(&self, after: MessageId, limit: &mut usize) -> Result<Vec<DeadLetter>> {
        loop {
            match self.read(after, *limit).await {
                Err(Error::GaveUp { source: Some(source), .. }) if *limit > 1 && is_broken(&source) => *limit /= 2,
                page => return page,
            }
        }
    }

    /// Those that are added meanwhile are not included, so this ends.
    async fn each<F, Fut>(&self, verb: F) -> Result<u64>
    where
        F: Fn(Self, MessageId) -> Fut,
        Fut: Future<Output = Result<bool>>,
    {
        let (mut done, mut after, mut left, mut limit) = (0, MessageId::MIN, self.count().await?, PAGE);
        while left > 0 {
            let page = self.page(after, &mut limit).await?;
            let Some(last) = page.last() else { break };
            after = last.id;
            left = left.saturating_sub(page.len() as u64);
            for letter in page {
                done += u64::from(verb(self.clone(), letter.id).await?);
            }
        }
        Ok(done)
    }
}

pub(crate) fn letter(id: &str, fields: &[Vec<u8>]) -> Option<DeadLetter> {
    let field = |name: &str| fields.chunks_exact(2).find(|pair| pair[0] == name.as_bytes()).map(|pair| &pair[1]);
    let text = |name: &str| field(name).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let entry: MessageId = text("message_id")?.parse().ok()?;
    let message_id = match text("index") {
        Some(index) => entry.inside(index.parse().ok()?),
        None => entry,
    };
    Some(DeadLetter {
        id: id.parse().ok()?,
        message_id,
        payload_bytes: match text("bytes") {
            Some(bytes) => bytes.parse().ok()?,
            None => field("payload")?.len() as u64,
        },
        payload: field("payload")?.clone(),
        error: text("error")?,
        attempts: text("attempts")?.parse().ok()?,
    })
}
