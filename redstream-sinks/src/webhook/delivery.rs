//! Sends the messages of one write until each change has a verdict.

use std::time::{Instant, SystemTime};

use futures_util::StreamExt as _;
use redstream_seaorm::Failures;
use reqwest::header::CONTENT_TYPE;
use sea_orm::EntityTrait;

use crate::http::{Budget, Pauses};
use crate::webhook::answer::{Verdict, verdict};
use crate::webhook::builder::Receiver;
use crate::webhook::error::Error;
use crate::webhook::message::{Change, Common};
use crate::webhook::metrics;

/// What all messages of a write have in common.
pub(crate) struct Delivery<'d> {
    pub(crate) receiver: &'d Receiver,
    pub(crate) common: Common<'d>,
}

/// What became of a message.
enum End {
    Delivered(usize),
    /// Refused for good: the numbers of its changes, the status and the reason.
    Refused(Vec<usize>, u16, String),
}

impl Delivery<'_> {
    /// Sends all changes, some messages at the same time; no key is in two of them.
    ///
    /// # Errors
    ///
    /// If not all changes are known to be delivered: the whole batch is to be retried. Changes that were refused are
    /// added to `failures` instead.
    pub(crate) async fn run<E: EntityTrait>(
        &self,
        changes: &[Change<E>],
        failures: &mut Failures<E>,
    ) -> Result<(), Error> {
        let size = if self.common.is_batched { self.receiver.batch } else { 1 };
        let all: Vec<usize> = (0..changes.len()).collect();
        let mut waiting: Vec<Vec<usize>> = all.chunks(size).map(<[usize]>::to_vec).collect();
        while !waiting.is_empty() {
            let sent = std::mem::take(&mut waiting).into_iter().map(|message| self.send(changes, message));
            let mut sent = futures_util::stream::iter(sent).buffer_unordered(self.receiver.concurrency);
            while let Some(end) = sent.next().await {
                match end? {
                    End::Delivered(changes) => self.count("delivered", changes),
                    End::Refused(message, status, reason) => match &message[..] {
                        [nth] => {
                            self.count("failed", 1);
                            let change = &changes[*nth];
                            let (host, id) = (self.receiver.host.clone(), change.id.clone());
                            failures.failed(change.key.clone(), Error::Refused { host, id, status, reason });
                        }
                        // One of them is at fault, or they are too many.
                        message => {
                            let (first, second) = message.split_at(message.len() / 2);
                            waiting.extend([first.to_vec(), second.to_vec()]);
                        }
                    },
                }
            }
        }
        Ok(())
    }

    /// Sends the message of the changes with these numbers until it is accepted or refused for good.
    async fn send<E>(&self, changes: &[Change<E>], message: Vec<usize>) -> Result<End, Error> {
        let (id, body) = {
            let changes: Vec<_> = message.iter().map(|nth| &changes[*nth]).collect();
            (self.common.id(&changes), self.common.body(&changes))
        };
        let mut budget = Budget::new(self.receiver.retry_for);
        let mut pauses = Pauses::default();
        loop {
            let (outcome, after, error) = match self.attempt(&id, &body).await {
                Verdict::Accepted => {
                    self.count_request("accepted");
                    return Ok(End::Delivered(message.len()));
                }
                Verdict::Refused { status, reason } => {
                    self.count_request("refused");
                    return Ok(End::Refused(message, status, reason));
                }
                Verdict::Failed(error) => ("refused", None, error),
                Verdict::Later(after, error) => ("failed", after, error),
            };
            self.count_request(outcome);
            if !error.may_pass() {
                return Err(error);
            }
            let Some(due) = budget.next(&mut pauses, after) else {
                let (attempts, within) = (pauses.attempts - 1, self.receiver.retry_for);
                return Err(Error::RetriesExhausted { attempts, within, source: Box::new(error) });
            };
            tracing::debug!(host = self.receiver.host, %id, %error, "a message is sent again");
            tokio::time::sleep_until(due).await;
        }
    }

    async fn attempt(&self, id: &str, body: &str) -> Verdict {
        let Receiver { http, url, host, headers, secrets, timeout, .. } = self.receiver;
        // Of the attempt, since receivers refuse messages that were signed long ago.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let request = http
            .post(url.clone())
            .headers(headers.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", now)
            .header("webhook-signature", secrets.sign(id, now, body.as_bytes()))
            .body(body.to_owned());
        let began = Instant::now();
        let verdict = match request.send().await {
            Ok(response) => verdict(response, host).await,
            Err(error) if error.is_timeout() && !error.is_connect() => {
                Verdict::Later(None, Error::Timeout { host: host.clone(), after: *timeout })
            }
            Err(error) => {
                Verdict::Later(None, Error::Connection { host: host.clone(), source: error.without_url().into() })
            }
        };
        let seconds = ::metrics::histogram!(metrics::REQUEST_SECONDS, "name" => self.common.name.to_owned());
        seconds.record(began.elapsed().as_secs_f64());
        verdict
    }

    fn count(&self, outcome: &'static str, changes: usize) {
        let name = self.common.name.to_owned();
        ::metrics::counter!(metrics::CHANGES, "name" => name, "outcome" => outcome).increment(changes as u64);
    }

    fn count_request(&self, outcome: &'static str) {
        let name = self.common.name.to_owned();
        ::metrics::counter!(metrics::REQUESTS, "name" => name, "outcome" => outcome).increment(1);
    }
}
