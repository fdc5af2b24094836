//! What was forgotten, found before any worker starts.

use std::collections::BTreeSet;

use redstream_core::{Error, Result};

use crate::entity::derived::DerivedEntity;
use crate::entity::streams::EntityStream;
use crate::entity::table_name::same;
use crate::index::embedded::Named;

fn refused(option: &'static str, reason: String) -> Error {
    Error::InvalidOption { option, reason }
}

/// Whether the writes of this table announce the rows of that one.
pub(super) fn announces(mut entities: impl Iterator<Item = DerivedEntity>, table: &str, document: &str) -> Result<()> {
    let mut derives = false;
    let announces = entities.any(|entity| {
        let is_it = same(&(entity.name)(), table);
        derives |= is_it;
        is_it && (entity.parents)().iter().any(|parent| same(parent, document))
    });
    if announces {
        return Ok(());
    }
    let missing = if derives { "its `#[streamed(…)]` lacks" } else { "derive `Streamed` on its model, with" };
    Err(refused(
        "embed",
        format!(
            "documents of `{document}` contain what rows of `{table}` lead to, and a write of `{table}` does not announce them: \
             {missing} `parents(…)` with the entity of `{document}`, and `parents_only` if nothing reads its own changes"
        ),
    ))
}

pub(super) fn no_relation(document: &str, embedded: &str) -> Error {
    refused(
        "embed",
        format!(
            "the relation from `{document}` to `{embedded}` leads neither from nor to a primary key: say by `embed_by` which \
             rows contain which"
        ),
    )
}

/// Messages have a key and no reason, so cascades in a circle would cause each other without end. Each is a pair: from
/// a table, to the table whose documents contain it.
pub(super) fn no_circle(cascades: &[(String, String)]) -> Result<()> {
    for (start, _) in cascades {
        let (mut reached, mut next) = (BTreeSet::new(), vec![start]);
        while let Some(table) = next.pop() {
            for (_, to) in cascades.iter().filter(|(from, _)| from == table) {
                if to == start {
                    return Err(refused(
                        "embed",
                        format!(
                            "documents of `{start}` and of `{table}` contain each other, so each change would cause another without \
                             end: embed in one direction, and announce the other by `#[streamed(parents(…))]`"
                        ),
                    ));
                }
                if reached.insert(to) {
                    next.push(to);
                }
            }
        }
    }
    Ok(())
}

/// Two consumers of one name would take turns.
pub(super) fn no_twins(consumers: &[Named]) -> Result<()> {
    for (nth, consumer) in consumers.iter().enumerate() {
        if consumers[..nth].iter().any(|other| is_twin(other, consumer)) {
            let Named { name, table, .. } = consumer;
            return Err(refused(
                "name",
                format!(
                    "two consumers of `{table}` are named `{name}`; a query of `embed_by` serves every index of its entity, so it is \
                     declared once"
                ),
            ));
        }
    }
    Ok(())
}

fn is_twin(one: &Named, other: &Named) -> bool {
    one.name == other.name && is_same_stream(&one.stream, &other.stream)
}

fn is_same_stream(one: &EntityStream, other: &EntityStream) -> bool {
    let name = |stream: &EntityStream| stream.streams().first().map(|stream| stream.name().clone());
    name(one) == name(other)
}

pub(super) fn is_known(consumers: &[Named], name: &str) -> Result<()> {
    if consumers.iter().any(|consumer| consumer.name == name) {
        return Ok(());
    }
    let known: BTreeSet<_> = consumers.iter().map(|consumer| format!("`{}`", consumer.name)).collect();
    let known = known.into_iter().collect::<Vec<_>>().join(", ");
    Err(refused("options", format!("no consumer is named `{name}`; there are {known}")))
}

/// Whether a consumer reads the stream of this entity.
pub(super) fn is_consumed(entity: DerivedEntity, stream: &EntityStream, consumers: &[Named]) -> Result<()> {
    if consumers.iter().any(|consumer| is_same_stream(&consumer.stream, stream)) {
        return Ok(());
    }
    let (table, entity) = ((entity.name)(), (entity.type_name)());
    Err(refused(
        "workers",
        format!(
            "`{table}` is streamed and nothing here consumes its changes: add `.index(…)` or `.handle::<{entity}>(…)`, say \
             `.elsewhere::<{entity}>()` if another program does, or `#[streamed(parents(…), parents_only)]` if only its \
             parents' documents matter"
        ),
    ))
}

#[cfg(test)]
mod tests;
