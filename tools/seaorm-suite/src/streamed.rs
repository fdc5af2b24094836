//! Their entities, streamed as an application does it: the derive replaces an empty `ActiveModelBehavior`, and our
//! hooks are called last in theirs if they have some.

use crate::left_out;
use anyhow::{Result, ensure};
use std::path::Path;

const DERIVE: &str = "DeriveEntityModel";
const STREAMED: &str = "DeriveEntityModel, redstream_seaorm::Streamed";
const EMPTY: &str = "impl ActiveModelBehavior for ActiveModel {}";
const HOOKS: [&str; 4] = ["before_save", "after_save", "before_delete", "after_delete"];

/// A file with its entities streamed, and their number. Errors for an entity that cannot be streamed and is not listed
/// as such.
pub(crate) fn entities(path: &Path, text: &str) -> Result<(String, usize)> {
    let models = text.lines().filter(|line| derives(line)).count();
    let behaviors = text.matches("ActiveModelBehavior for ActiveModel").count();
    if models + behaviors == 0 || left_out::ENTITIES.iter().any(|(file, _)| path == Path::new(file)) {
        return Ok((text.to_owned(), 0));
    }
    let empty = text.lines().filter(|line| line.trim() == EMPTY).count();
    let hooks = text.lines().filter(|line| hook(line).is_some()).count();
    let with_hooks = models == 1 && behaviors == 1 && empty == 0 && hooks == HOOKS.len();
    ensure!(
        with_hooks || models == behaviors && behaviors == empty,
        "{} cannot be streamed: it has {models} models, {behaviors} behaviors, {empty} of them empty, and {hooks} hooks. \
         Look at what SeaORM changed, and at `ENTITIES` in tools/seaorm-suite/src/left_out.rs",
        path.display()
    );
    let derived: Vec<_> = text.lines().map(derived).collect();
    let streamed = if with_hooks { call_ours(&derived) } else { derived.join("\n").replace(EMPTY, "") };
    Ok((streamed + "\n", models))
}

fn derives(line: &str) -> bool {
    line.trim_start().starts_with("#[derive(") && line.contains(DERIVE)
}

/// Derives `Streamed` too.
fn derived(line: &str) -> String {
    if derives(line) { line.replace(DERIVE, STREAMED) } else { line.to_owned() }
}

/// Calls our hooks last in theirs.
fn call_ours(lines: &[String]) -> String {
    let mut called = Vec::new();
    let mut begun = None;
    for line in lines {
        begun = hook(line).or(begun);
        let ends = ["Ok(self)", "Ok(model)"].contains(&line.trim());
        if let Some((name, db)) = begun.take_if(|_| ends) {
            let ours = match name {
                "before_save" => format!("before_save(&self, {db}, insert)"),
                "after_save" => format!("after_save::<Entity, C>(&model, {db}, insert)"),
                name => format!("{name}(&self, {db})"),
            };
            called.push(format!("redstream_seaorm::hooks::{ours}.await?;"));
        }
        called.push(line.replace(", _: bool)", ", insert: bool)"));
        if derives(line) {
            called.push("#[streamed(manual)]".to_owned());
        }
    }
    called.join("\n")
}

/// The name of the hook that begins on this line, and of its connection.
fn hook(line: &str) -> Option<(&str, &str)> {
    let (name, parameters) = line.trim().strip_prefix("async fn ")?.split_once("<C>(")?;
    let (before, _) = parameters.split_once(": &C")?;
    let name = HOOKS.into_iter().find(|hook| *hook == name)?;
    Some((name, before.rsplit(' ').next()?))
}

#[cfg(test)]
mod tests {
    use super::{HOOKS, entities};
    use std::path::Path;

    const MODEL: &str = "#[derive(Clone, DeriveEntityModel)]\nstruct Model;\n";

    #[test]
    fn an_empty_behavior_gives_way_to_the_derive() {
        let model = format!("{MODEL}impl ActiveModelBehavior for ActiveModel {{}}\n");
        let streamed = "#[derive(Clone, DeriveEntityModel, redstream_seaorm::Streamed)]\nstruct Model;\n\n";
        assert_eq!(entities(Path::new("city.rs"), &model).unwrap(), (streamed.to_owned(), 1));
    }

    #[test]
    fn our_hooks_are_called_last_in_theirs() {
        let hook = |name| format!("async fn {name}<C>(self, db: &C, _: bool) {{\nlet city = self;\nOk(self)\n}}\n");
        let hooks = HOOKS.map(hook).concat();
        let model = format!("{MODEL}impl ActiveModelBehavior for ActiveModel {{\n{hooks}}}\n");
        let (streamed, _) = entities(Path::new("city.rs"), &model).unwrap();
        assert!(streamed.contains("Streamed)]\n#[streamed(manual)]\nstruct Model;"), "{streamed}");
        let called = "let city = self;\nredstream_seaorm::hooks::before_save(&self, db, insert).await?;\nOk(self)";
        assert!(streamed.contains(called), "{streamed}");
        assert_eq!(streamed.matches("redstream_seaorm::hooks").count(), 4, "{streamed}");
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        let model = format!("{MODEL}impl ActiveModelBehavior for ActiveModel {{ … }}\n");
        assert!(entities(Path::new("city.rs"), &model).is_err());
        let text = "fn no_entity() {}\n";
        assert_eq!(entities(Path::new("setup.rs"), text).unwrap(), (text.to_owned(), 0));
    }
}
