//! Main messages for which the caller does not wait.

use tokio::runtime::Handle;

use super::{Kind, Producer, count};
use crate::error::Result;
use crate::failpoint::failpoint;
use crate::message::{MessageId, NewMessage};
use crate::transport::group::Outcome;

impl Producer {
    /// Sends main messages in the calling thread, and waits for nothing. `then` is called with their ids, or with the
    /// error that [`queue_all`](Self::queue_all) would return: when the reply was read, usually by the next caller. It
    /// is not called if the runtime ends first.
    ///
    /// They share entries if it is known that all consumers can read those: this does not wait to find out. What cannot
    /// be sent at once, and what fails, is sent by a task.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    #[doc(hidden)]
    pub fn queue_in_background(
        &self,
        messages: Vec<NewMessage>,
        then: impl FnOnce(Vec<NewMessage>, Result<Vec<MessageId>>) + Send + 'static,
    ) {
        failpoint!(Kind::Main.points().0);
        let (producer, runtime) = (self.clone(), Handle::current());
        let (grouped, order) = self.grouped(Kind::Main, &messages);
        let ticket = self.link().group_now().send(|stream| self.target(Kind::Main, stream, &grouped), &grouped);
        drop(grouped);
        let Some(ticket) = ticket else {
            runtime.spawn(producer.queue_then(messages, then));
            return;
        };
        ticket.detach(self.link().connector().options().response_timeout, move |outcome| {
            if let Outcome::Added(added) = outcome
                && producer.saw(added.notes)
            {
                failpoint!(Kind::Main.points().1);
                count(Kind::Main, added.ids.len());
                then(messages, Ok(order.given(added.ids)));
            } else {
                runtime.spawn(producer.queue_then(messages, then));
            }
        });
    }

    async fn queue_then(
        self,
        messages: Vec<NewMessage>,
        then: impl FnOnce(Vec<NewMessage>, Result<Vec<MessageId>>) + Send,
    ) {
        let added = self.queue_all(&messages).await;
        then(messages, added);
    }
}
