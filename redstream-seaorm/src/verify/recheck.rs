//! Compares single keys.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use sea_orm::ConnectionTrait;

use crate::entity::key::Key;
use crate::entity::streamed::Streamed;
use crate::index::loader::Loader;
use crate::index::scan::Scan;
use crate::verify::error::VerifyError;
use crate::verify::report::DifferenceKind;
use crate::verify::sides::Sides;
use crate::verify::suspect::Suspect;

/// The documents of each key.
type Documents<E, D> = HashMap<Key<E>, Vec<D>, RandomState>;

impl<E, C, S, L> Sides<'_, E, C, S, L>
where
    E: Streamed,
    C: ConnectionTrait + Send + Sync + 'static,
    L: Loader<E, C>,
    S: Scan<E, L::Record>,
{
    /// Compares these keys, and removes those that are equal; the kinds of the others are as they are now.
    pub(super) async fn recheck(
        &self,
        suspects: Vec<Suspect<E>>,
        is_merged: bool,
    ) -> Result<Vec<Suspect<E>>, VerifyError> {
        let keys: Vec<Key<E>> = suspects.iter().map(|suspect| suspect.key.clone()).collect();
        let records: HashMap<_, _, RandomState> = self.load(&keys).await?.into_iter().collect();
        let documents = self.documents_of(&suspects, &keys, is_merged).await?;
        let mut differing = Vec::new();
        for suspect in suspects {
            let documents = documents.get(&suspect.key).map_or(&[][..], Vec::as_slice);
            if let Some((kind, error)) = self.judge(&suspect.key, records.get(&suspect.key), documents) {
                differing.push(Suspect { kind, error, ..suspect });
            }
        }
        drop(records);
        if is_merged { Ok(differing) } else { self.without_respelled(differing).await }
    }

    fn judge(
        &self,
        key: &Key<E>,
        record: Option<&L::Record>,
        documents: &[S::Document],
    ) -> Option<(DifferenceKind, Option<String>)> {
        let Some(record) = record else {
            return (!documents.is_empty()).then_some((DifferenceKind::Extra, None));
        };
        if documents.is_empty() {
            return Some((DifferenceKind::Missing, None));
        }
        let mut reason = None;
        for document in documents {
            match self.is_current(key, record, document) {
                Ok(true) => return (documents.len() > 1).then_some((DifferenceKind::Extra, None)),
                Ok(false) => {}
                Err(error) => reason = Some(error),
            }
        }
        Some((DifferenceKind::Stale, reason))
    }

    /// By a look-up, or by a scan for each key: of all of them if the sink has no look-up, and of those with a second
    /// document, which a look-up by id may not find.
    async fn documents_of(
        &self,
        suspects: &[Suspect<E>],
        keys: &[Key<E>],
        is_merged: bool,
    ) -> Result<Documents<E, S::Document>, VerifyError> {
        let mut documents = Documents::default();
        let found = self.find(keys).await?;
        let is_found = found.is_some();
        if !is_found && !is_merged {
            return Err(self.no_look_up(keys.first()));
        }
        let asked: HashSet<&Key<E>> = keys.iter().collect();
        let mut is_loose = false;
        for (key, document) in found.into_iter().flatten() {
            is_loose |= !asked.contains(&key);
            documents.entry(key).or_default().push(document);
        }
        if is_loose {
            // The datastore compares keys more loosely than Rust: which document is whose?
            for key in keys {
                if !documents.contains_key(key) {
                    let of_key = self.find(std::slice::from_ref(key)).await?.into_iter().flatten();
                    let of_key: Vec<_> = of_key.map(|(_, document)| document).collect();
                    if !of_key.is_empty() {
                        documents.insert(key.clone(), of_key);
                    }
                }
            }
        }
        for suspect in suspects.iter().filter(|suspect| is_merged && (!is_found || suspect.is_double)) {
            documents.insert(suspect.key.clone(), self.documents_of_one(suspect).await?);
        }
        Ok(documents)
    }

    async fn documents_of_one(&self, suspect: &Suspect<E>) -> Result<Vec<S::Document>, VerifyError> {
        let mut after = suspect.before.clone();
        let mut documents = Vec::new();
        loop {
            let page = self.scan(after.as_ref(), Some(&suspect.key)).await?;
            let is_last = page.len() < self.options.page_size;
            after = page.last().map(|(key, _)| key.clone());
            documents.extend(page.into_iter().filter(|(key, _)| *key == suspect.key).map(|(_, document)| document));
            if is_last || after.as_ref() == Some(&suspect.key) {
                return Ok(documents);
            }
        }
    }

    /// Without the keys that have no record, but a row under another spelling, if the datastore treats both spellings
    /// as one key, too: the document is that row's.
    async fn without_respelled(&self, suspects: Vec<Suspect<E>>) -> Result<Vec<Suspect<E>>, VerifyError> {
        let is_extra = |suspect: &Suspect<E>| suspect.kind == DifferenceKind::Extra;
        let extra: Vec<_> = suspects.iter().filter(|suspect| is_extra(suspect)).map(|one| one.key.clone()).collect();
        if extra.is_empty() {
            return Ok(suspects);
        }
        let mut the_rows: HashSet<Key<E>> = HashSet::new();
        for (key, row) in self.respelled(extra).await? {
            let of_row = self.find(std::slice::from_ref(&row)).await?.into_iter().flatten();
            if of_row.into_iter().any(|(found, _)| found == key) {
                the_rows.insert(key);
            }
        }
        Ok(suspects.into_iter().filter(|suspect| !is_extra(suspect) || !the_rows.contains(&suspect.key)).collect())
    }
}
