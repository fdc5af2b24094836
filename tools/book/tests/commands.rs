//! Each command of a guide is run.
//!
//! A line `$ redstream …` of a `console` block is run against a Redis with a prepared namespace, one for each page,
//! in the order of the page. The lines below it, up to the next `$`, are output: each must be printed, whatever its
//! numbers and its blanks; `…` stands for any text of a line, or for any lines. Lines of `cargo xtask` are checked by
//! its own tests.

mod shop;

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;
use std::process::Stdio;

use redstream_book::Block;
use tokio::process::Command;
use tokio::task::{JoinSet, LocalSet};

use self::shop::Shop;
use super::blocks_of_guides;

/// The program, which the same build has put next to this test.
fn program() -> PathBuf {
    let test = env::current_exe().expect("it is a file");
    let folder = test.parent().and_then(|deps| deps.parent()).expect("it is in target/debug/deps");
    let program = folder.join(format!("redstream{}", env::consts::EXE_SUFFIX));
    assert!(program.is_file(), "build it first: cargo build -p redstream-cli; there is no {}", program.display());
    program
}

/// A command, and the output that a page shows of it.
struct Shown {
    place: String,
    command: String,
    output: Vec<String>,
}

fn shown(place: &str, block: &Block) -> Vec<Shown> {
    let mut shown: Vec<Shown> = Vec::new();
    for line in &block.lines {
        if let Some(command) = line.strip_prefix("$ ") {
            let command = command.split(" #").next().unwrap_or(command).trim().to_owned();
            shown.push(Shown { place: place.to_owned(), command, output: Vec::new() });
        } else if let Some(last) = shown.last_mut() {
            last.output.push(line.clone());
        }
    }
    shown
}

/// Numbers and the blanks of tables differ from run to run.
fn normal(line: &str) -> String {
    let digits = line.chars().map(|c| if c.is_ascii_digit() { '0' } else { c });
    let mut line = digits.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ");
    while line.contains("00") || line.contains("0,0") || line.contains("0.0") {
        line = line.replace("00", "0").replace("0,0", "0").replace("0.0", "0");
    }
    line
}

/// Whether a printed line is the one that a page shows, in which `…` stands for anything.
fn is_shown_as(printed: &str, shown: &str) -> bool {
    let mut parts = shown.split('…').map(str::trim);
    let Some(mut rest) = parts.next().and_then(|first| printed.strip_prefix(first)) else { return false };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.is_empty() || shown.ends_with('…')
}

#[tokio::test]
async fn every_command_of_a_guide_is_run_and_prints_what_is_shown() {
    let mut pages = BTreeMap::<String, Vec<Shown>>::new();
    for (place, block) in blocks_of_guides().into_iter().filter(|(_, block)| block.language == "console") {
        let page = place.split(':').next().unwrap_or_default().to_owned();
        pages.entry(page).or_default().extend(shown(&place, &block));
    }
    let pages = pages.into_values().filter(|shown| shown.iter().any(|shown| shown.command.starts_with("redstream ")));
    // Preparing a namespace waits for retries, so the pages do it at the same time.
    let tasks = LocalSet::new();
    let faults = tasks.run_until(async {
        let mut running = JoinSet::new();
        pages.for_each(|page| _ = running.spawn_local(of_page(page)));
        assert!(running.len() > 2, "only {} pages have commands", running.len());
        running.join_all().await.concat()
    });
    let faults = faults.await;
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Runs the commands of a page, one after the other. Returns what is wrong.
async fn of_page(shown: Vec<Shown>) -> Vec<String> {
    let shop = Shop::open().await;
    let mut faults = Vec::new();
    for Shown { place, command, output } in shown {
        let Some(arguments) = command.strip_prefix("redstream ") else { continue };
        let (code, printed) = run(&shop, arguments).await;
        if code > 1 {
            faults.push(format!("{place}: {command}: exit code {code}: {printed}"));
        }
        let lines: Vec<_> = printed.lines().map(normal).collect();
        for line in output {
            if !lines.iter().any(|printed| is_shown_as(printed, &normal(&line))) {
                faults.push(format!("{place}: {command} does not print `{line}`, but:\n{printed}"));
            }
        }
    }
    faults
}

/// Runs the program, without a terminal. Of what would not end by itself only the options are checked.
async fn run(shop: &Shop, arguments: &str) -> (i32, String) {
    let mut command = Command::new(program());
    command.args(arguments.split_whitespace()).envs(shop.environment()).stdin(Stdio::null());
    let does_not_end = ["top", "web"].iter().any(|word| arguments.split(' ').next() == Some(word))
        || (arguments.starts_with("tail") && !arguments.contains("--no-follow"));
    if does_not_end {
        command.arg("--help");
    }
    let output = command.output().await.expect("it can be run");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn a_line_that_is_shown_is_one_that_was_printed() {
    let shown = |printed: &str, shown: &str| is_shown_as(&normal(printed), &normal(shown));
    assert!(shown(" products  search 1,234  2s  stopped", " products search 7   40s stopped"), "whatever its numbers");
    assert!(shown("products search 5 2s stopped 6 12-5", "products search 5 … stopped 6 …"));
    assert!(!shown("products search 5 2s running 6", "products search 5 … stopped 6 …"));
    assert!(!shown("products search 5 2s stopped", "products search 5"));
}

#[test]
fn commands_only_use_programs_whose_lines_are_checked() {
    for (place, block) in blocks_of_guides().into_iter().filter(|(_, block)| block.language == "console") {
        for Shown { command, .. } in shown(&place, &block) {
            let mut words = command.split(' ');
            let is_checked = match (words.next(), words.next()) {
                (Some("redstream" | "export"), Some(_)) | (Some("cargo"), Some("xtask")) => true,
                (Some("cargo"), Some("run")) => {
                    let (_, example) = command.split_once("--example ").unwrap_or_else(|| panic!("{place}: {command}"));
                    let examples = super::root().join("examples");
                    examples.join(format!("{example}.rs")).is_file() || examples.join(example).join("main.rs").is_file()
                }
                (Some("cargo"), Some("install")) => {
                    super::root().join(command.rsplit(' ').next().unwrap_or_default()).join("Cargo.toml").is_file()
                }
                _ => false,
            };
            assert!(is_checked, "{place}: no test runs `{command}`: write it as `sh` if it is another program's");
        }
    }
}
