//! Code that all models share: rules that can be taken out, and the report of a check.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::hash::Hash;
use std::time::Instant;

use stateright::{Checker, HasDiscoveries, Model};

/// A model of which each rule can be taken out.
pub(crate) trait Ruled:
    Model<State: Clone + Debug + Hash + PartialEq + Send + Sync + 'static> + Send + Sync + 'static
where
    Self::Action: Clone + Debug + PartialEq + Send + Sync + 'static,
{
    type Rule: Copy + Debug + PartialEq + 'static;
    const NAME: &'static str;
    /// The bounds that make the state space finite.
    const BOUNDS: &'static str;
    /// Each rule, with the property that is violated without it.
    const RULES: &'static [(Self::Rule, &'static str)];

    /// The model without this rule, or with all of them.
    fn without(rule: Option<Self::Rule>) -> Self;
}

/// How a check ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) states: usize,
    pub(crate) unique: usize,
    pub(crate) depth: usize,
    /// Properties that do not hold, each with the steps that lead there, and those that were to be seen sometimes and
    /// never were.
    pub(crate) violated: Vec<(&'static str, Vec<String>)>,
}

/// Explores every state or, if a rule is taken out, as far as the first that violates the property `falls`.
pub(crate) fn check<M: Ruled>(without: Option<(M::Rule, &'static str)>) -> Outcome
where
    M::Action: Clone + Debug + PartialEq + Send + Sync + 'static,
{
    let model = M::without(without.map(|(rule, _)| rule));
    let properties = model.properties();
    let enough = match without {
        Some((_, falls)) => HasDiscoveries::AnyOf(BTreeSet::from([falls])),
        None => HasDiscoveries::AnyFailures,
    };
    let checker = model.checker().threads(2).finish_when(enough).spawn_bfs().join();
    let mut found = checker.discoveries();
    let mut violated = Vec::new();
    for property in properties {
        let path = found.remove(property.name);
        match path {
            Some(path) if property.expectation.discovery_is_failure() => {
                violated.push((property.name, path.into_actions().iter().map(|step| format!("{step:?}")).collect()));
            }
            // Properties of the kind "sometimes" are checked only if all others hold.
            None if !property.expectation.discovery_is_failure() && without.is_none() => {
                violated.push((property.name, Vec::new()));
            }
            _ => {}
        }
    }
    Outcome {
        states: checker.state_count(),
        unique: checker.unique_state_count(),
        depth: checker.max_depth(),
        violated,
    }
}

/// Checks the model with all rules and without each, and prints what was found. Returns whether all was as it should
/// be.
pub(crate) fn report<M: Ruled>(traces: bool) -> bool
where
    M::Action: Clone + Debug + PartialEq + Send + Sync + 'static,
{
    let begun = Instant::now();
    let Outcome { states, unique, depth, violated } = check::<M>(None);
    let seconds = begun.elapsed().as_secs_f32();
    println!("\n{}: {}", M::NAME, M::BOUNDS);
    println!("  all rules: {states} states, {unique} unique, {depth} deep, {seconds:.1} s");
    let mut as_it_should_be = violated.is_empty();
    for (property, steps) in violated {
        println!("  VIOLATED: {property}");
        print_steps(&steps);
    }
    for (rule, falls) in M::RULES {
        let found = check::<M>(Some((*rule, *falls))).violated;
        if let Some((property, steps)) = found.iter().find(|(property, _)| property == falls) {
            println!("  without {rule:?}: not \"{property}\", in {} steps", steps.len());
            if traces {
                print_steps(steps);
            }
        } else {
            println!("  without {rule:?}: NOT FOUND that \"{falls}\" falls");
            as_it_should_be = false;
        }
    }
    as_it_should_be
}

fn print_steps(steps: &[String]) {
    for step in steps {
        println!("      {step}");
    }
}

/// The tests of a model: all holds with its rules, and each rule is needed.
#[cfg(test)]
macro_rules! tests_of {
    ($model:ty) => {
        #[cfg(test)]
        mod tests {
            use super::*;
            use crate::check::{Ruled, check};

            #[test]
            fn every_property_holds() {
                let outcome = check::<$model>(None);
                assert!(outcome.violated.is_empty(), "{outcome:#?}");
            }

            #[test]
            fn each_rule_is_needed() {
                for (rule, falls) in <$model>::RULES {
                    let violated = check::<$model>(Some((*rule, *falls))).violated;
                    assert!(violated.iter().any(|(property, _)| property == falls), "{rule:?}: {violated:#?}");
                }
            }
        }
    };
}
#[cfg(test)]
pub(crate) use tests_of;
