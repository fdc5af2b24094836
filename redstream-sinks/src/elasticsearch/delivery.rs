//! Sends the requests of one write until each document has a verdict.

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use redstream_seaorm::Failures;
use reqwest::Method;
use sea_orm::EntityTrait;
use tokio::time::Instant;

use crate::elasticsearch::answer::{Rejection, Verdict, verdicts};
use crate::elasticsearch::bulk::Bulk;
use crate::elasticsearch::client::{Answer, Elasticsearch, Request};
use crate::elasticsearch::error::Error;
use crate::elasticsearch::metrics;
use crate::elasticsearch::pace::Pace;
use crate::http::{Budget, Pauses};

/// What all requests of a write have in common.
pub(crate) struct Delivery<'d, E> {
    pub(crate) client: &'d Elasticsearch,
    pub(crate) index: &'d str,
    pub(crate) query: &'d [(&'static str, String)],
    pub(crate) pace: &'d Pace,
    pub(crate) bulk: &'d Bulk<E>,
}

/// A part of the documents, and when it is due.
struct Part {
    documents: Vec<usize>,
    due: Option<Instant>,
    pauses: Pauses,
}

/// What follows from the answer to a part.
enum Next {
    /// Each document has its verdict.
    Done,
    /// Send these documents again if time permits; else fail with this error.
    Again(Vec<usize>, Option<std::time::Duration>, Error),
    /// The whole request was refused because of one of its documents, or because of its size.
    Halve(Refusal),
}

/// Why a request with a single document fails.
struct Refusal {
    status: u16,
    reason: String,
}

impl<E: EntityTrait> Delivery<'_, E> {
    /// Sends these requests, as many at once as the pace permits. No document is in two requests at once.
    ///
    /// # Errors
    ///
    /// If nothing is known of some documents: the whole batch is to be retried. Documents that were refused are added
    /// to `failures` instead.
    pub(crate) async fn run(
        &self,
        requests: Vec<Vec<usize>>,
        budget: &mut Budget,
        failures: &mut Failures<E>,
    ) -> Result<(), Error> {
        let part_of = |documents| Part { documents, due: None, pauses: Pauses::default() };
        let mut in_flight: FuturesUnordered<_> =
            requests.into_iter().map(|documents| self.send(part_of(documents))).collect();
        while let Some((mut part, answer)) = in_flight.next().await {
            match self.judge(&part, answer, failures)? {
                Next::Done => {}
                Next::Again(documents, retry_after, error) => {
                    let Some(due) = budget.next(&mut part.pauses, retry_after) else {
                        let (attempts, within) = (part.pauses.attempts - 1, budget.retry_for());
                        return Err(Error::RetriesExhausted { attempts, within, source: Box::new(error) });
                    };
                    tracing::debug!(index = self.index, documents = documents.len(), %error, "a bulk request is sent again");
                    ::metrics::counter!(metrics::RETRIES, "index" => self.index.to_owned()).increment(1);
                    in_flight.push(self.send(Part { documents, due: Some(due), pauses: part.pauses }));
                }
                Next::Halve(refusal) if part.documents.len() == 1 => self.refuse(part.documents[0], refusal, failures),
                Next::Halve(_) => {
                    let second = part.documents.split_off(part.documents.len() / 2);
                    for documents in [part.documents, second] {
                        in_flight.push(self.send(part_of(documents)));
                    }
                }
            }
        }
        Ok(())
    }

    async fn send(&self, part: Part) -> (Part, Result<Answer, Error>) {
        if let Some(due) = part.due {
            tokio::time::sleep_until(due).await;
        }
        let _permit = self.pace.permit().await;
        let began = Instant::now();
        let attempt = self.attempt(part.documents.len());
        let content = Some(("application/x-ndjson", self.bulk.body(&part.documents)));
        let path = [self.index, "_bulk"];
        let request = Request { attempt: &attempt, method: Method::POST, path: &path, query: self.query, content };
        let answer = self.client.send(&request).await;
        let seconds = ::metrics::histogram!(metrics::REQUEST_SECONDS, "index" => self.index.to_owned());
        seconds.record(began.elapsed().as_secs_f64());
        (part, answer)
    }

    fn attempt(&self, documents: usize) -> String {
        format!("write {documents} documents to `{}`", self.index)
    }

    fn judge(&self, part: &Part, answer: Result<Answer, Error>, failures: &mut Failures<E>) -> Result<Next, Error> {
        let attempt = self.attempt(part.documents.len());
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if error.may_pass() => {
                self.count_request("failed", false);
                return Ok(Next::Again(part.documents.clone(), None, error));
            }
            Err(error) => return Err(error),
        };
        let status = answer.status.as_u16();
        match answer.error(&attempt) {
            None => {}
            // Too large, or one of its documents cannot be read.
            Some(Error::Refused { reason, .. }) if matches!(status, 400 | 411 | 413) => {
                self.count_request("refused", true);
                return Ok(Next::Halve(Refusal { status, reason }));
            }
            Some(error) if error.may_pass() => {
                self.count_request("refused", false);
                return Ok(Next::Again(part.documents.clone(), answer.retry_after, error));
            }
            Some(error) => {
                self.count_request("failed", true);
                return Err(error);
            }
        }
        let unread =
            |what: String, source| Error::Answer { attempt: attempt.clone(), node: answer.node.clone(), what, source };
        let verdicts = match verdicts(&answer.body) {
            Ok(verdicts) if verdicts.len() == part.documents.len() => verdicts,
            read => {
                self.count_request("failed", false);
                let error = match read {
                    Ok(verdicts) => unread(format!("it has {} items", verdicts.len()), None),
                    Err(source) => unread("it is not the whole answer to a bulk request".to_owned(), Some(source)),
                };
                return Ok(Next::Again(part.documents.clone(), None, error));
            }
        };
        self.apply(&attempt, &answer, part, verdicts, failures)
    }

    fn apply(
        &self,
        attempt: &str,
        answer: &Answer,
        part: &Part,
        verdicts: Vec<Verdict>,
        failures: &mut Failures<E>,
    ) -> Result<Next, Error> {
        let (mut written, mut deleted, mut superseded, mut failed) = (0, 0, 0, 0);
        let (mut again, mut unavailable) = (Vec::new(), None);
        let (attempt, node) = (attempt.to_owned(), answer.node.clone());
        for (&nth, verdict) in part.documents.iter().zip(verdicts) {
            let document = self.bulk.document(nth);
            match verdict {
                Verdict::Written if document.is_delete => deleted += 1,
                Verdict::Written => written += 1,
                Verdict::Superseded(version) => {
                    superseded += 1;
                    match version {
                        Some(version) => failures.outdated_by(document.key.clone(), version),
                        None => failures.outdated(document.key.clone()),
                    }
                }
                Verdict::Unavailable(rejection) => {
                    again.push(nth);
                    unavailable = Some(rejection);
                }
                Verdict::Unauthorized(Rejection { status, reason, .. }) => {
                    return Err(Error::Unauthorized { attempt, node, status, reason });
                }
                Verdict::NoTarget(Rejection { status, reason, .. }) => {
                    return Err(Error::Refused { attempt, node, status, reason });
                }
                Verdict::Rejected(Rejection { status, kind, reason }) => {
                    failed += 1;
                    let id = document.id.clone();
                    failures.failed(document.key.clone(), Error::Document { id, status, kind, reason });
                }
            }
        }
        self.count_request(if again.is_empty() { "accepted" } else { "refused" }, again.is_empty());
        for (outcome, count) in
            [("written", written), ("deleted", deleted), ("superseded", superseded), ("failed", failed)]
        {
            self.count_documents(outcome, count);
        }
        Ok(match unavailable {
            Some(Rejection { status, kind, reason }) => {
                let reason = format!("{kind}: {reason}");
                Next::Again(again, answer.retry_after, Error::Unavailable { attempt, node, status, reason })
            }
            None => Next::Done,
        })
    }

    /// The server refuses a request with this document alone.
    fn refuse(&self, nth: usize, Refusal { status, reason }: Refusal, failures: &mut Failures<E>) {
        let document = self.bulk.document(nth);
        let id = document.id.clone();
        let error = if status == 400 {
            Error::Document { id, status, kind: "the whole request".to_owned(), reason }
        } else {
            Error::TooLarge { id, bytes: self.bulk.body(&[nth]).len(), status }
        };
        failures.failed(document.key.clone(), error);
        self.count_documents("failed", 1);
    }

    /// Also sets the pace. `is_fine`: the server is not overloaded.
    fn count_request(&self, outcome: &'static str, is_fine: bool) {
        if is_fine {
            self.pace.raise();
        } else {
            self.pace.halve();
        }
        let index = self.index.to_owned();
        ::metrics::counter!(metrics::REQUESTS, "index" => index.clone(), "outcome" => outcome).increment(1);
        #[expect(clippy::cast_precision_loss, reason = "it is a small number")]
        ::metrics::gauge!(metrics::CONCURRENCY, "index" => index).set(self.pace.limit() as f64);
    }

    fn count_documents(&self, outcome: &'static str, count: u64) {
        if count > 0 {
            ::metrics::counter!(metrics::DOCUMENTS, "index" => self.index.to_owned(), "outcome" => outcome)
                .increment(count);
        }
    }
}
