//! Search as one types: cities that have all words, the last of which may be the beginning of a word.

use redstream_sinks::tantivy::TantivySink;
use serde::Serialize;
use tantivy::Term;
use tantivy::collector::{Count, TopDocs};
use tantivy::query::{AllQuery, BooleanQuery, BoostQuery, FuzzyTermQuery, Occur, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption};

use super::embedded::{Look, sink};
use super::{Search, city};

/// As many cities are shown at most.
pub(super) const SHOWN: usize = 20;

/// What a search found.
#[derive(Debug, Serialize)]
pub(crate) struct Found {
    /// How many cities there are of it.
    pub(crate) total: u64,
    /// The best of them.
    pub(crate) cities: Vec<city::Model>,
}

/// An index that stays open between searches. Cheap to clone.
#[derive(Clone)]
pub(crate) enum Finder {
    Embedded(TantivySink<city::Entity>),
    #[cfg(feature = "opensearch")]
    Server(super::server::Server),
}

impl Finder {
    pub(crate) fn of(search: &Search) -> anyhow::Result<Self> {
        match search {
            Search::Embedded(folder) => Ok(Self::Embedded(sink(folder)?)),
            #[cfg(feature = "opensearch")]
            Search::Server(server) => Ok(Self::Server(server.clone())),
        }
    }

    /// The cities for what was typed so far; any cities if it has no word.
    pub(crate) async fn find(&self, typed: &str) -> anyhow::Result<Found> {
        match self {
            Self::Embedded(sink) => {
                let typed = typed.to_owned();
                look(sink, move |index| index.typed(&typed)).await
            }
            #[cfg(feature = "opensearch")]
            Self::Server(server) => server.typed(typed).await,
        }
    }

    /// The city of this id, unless it is missing or deleted.
    pub(crate) async fn city(&self, id: i64) -> anyhow::Result<Option<city::Model>> {
        match self {
            Self::Embedded(sink) => look(sink, move |index| index.city(id)).await,
            #[cfg(feature = "opensearch")]
            Self::Server(server) => server.city(id).await,
        }
    }

    /// How many cities a search for all finds.
    pub(crate) async fn len(&self) -> anyhow::Result<u64> {
        match self {
            Self::Embedded(sink) => look(sink, Look::len).await,
            #[cfg(feature = "opensearch")]
            Self::Server(server) => server.len().await,
        }
    }
}

async fn look<T: Send + 'static>(
    sink: &TantivySink<city::Entity>,
    look: impl FnOnce(&Look) -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let sink = sink.clone();
    tokio::task::spawn_blocking(move || look(&Look::through(sink)?)).await?
}

impl Look {
    fn typed(&self, typed: &str) -> anyhow::Result<Found> {
        let mut words = Vec::new();
        let mut tokenizer = self.searcher.index().tokenizer_for_field(self.fields.name)?;
        tokenizer.token_stream(typed).process(&mut |word| words.push(word.text.clone()));
        let query: Box<dyn Query> = match words.split_last() {
            None => self.sink.fields().live(Box::new(AllQuery)),
            Some((last, whole)) => {
                let whole = whole.iter().map(|word| self.word(word));
                let all = whole.chain([self.beginning(last)]).map(|query| (Occur::Must, query));
                Box::new(BooleanQuery::new(all.collect()))
            }
        };
        let best = TopDocs::with_limit(SHOWN).order_by_score();
        let (total, found) = self.searcher.search(&query, &(Count, best))?;
        let cities = found.iter().map(|(_, address)| Ok(self.fields.city(&self.searcher.doc(*address)?)));
        let cities = cities.collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Found { total: total.try_into()?, cities: cities.into_iter().flatten().collect() })
    }

    /// Each field that has the word; a name counts more than a region.
    fn word(&self, word: &str) -> Box<dyn Query> {
        let of = |field: Field, text: &str| Box::new(TermQuery::new(term(field, text), IndexRecordOption::WithFreqs));
        any([
            boosted(of(self.fields.name, word), 4.0),
            of(self.fields.admin1, word),
            // It is stored in capitals.
            of(self.fields.country, &word.to_uppercase()),
        ])
    }

    /// The same, and each field that has a word which begins so.
    fn beginning(&self, word: &str) -> Box<dyn Query> {
        let of = |field| Box::new(FuzzyTermQuery::new_prefix(term(field, word), 0, true));
        any([self.word(word), boosted(of(self.fields.name), 2.0), of(self.fields.admin1)])
    }
}

fn term(field: Field, text: &str) -> Term {
    Term::from_field_text(field, text)
}

fn boosted(query: Box<dyn Query>, boost: f32) -> Box<dyn Query> {
    Box::new(BoostQuery::new(query, boost))
}

fn any<const N: usize>(queries: [Box<dyn Query>; N]) -> Box<dyn Query> {
    Box::new(BooleanQuery::new(queries.map(|query| (Occur::Should, query)).into()))
}
