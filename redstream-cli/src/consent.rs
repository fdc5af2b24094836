//! Asks before what cannot be undone.

use std::io::{IsTerminal as _, Write as _};

use anyhow::{Result, bail};

use crate::arguments::Consent;
use crate::connect::Usage;

/// Whether to go on. Without a terminal only `--yes` is consent.
pub(crate) fn is_given(consent: Consent, impact: &str) -> Result<bool> {
    if consent.yes {
        eprintln!("{impact}");
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        eprintln!("{impact}");
        bail!(Usage("there is no terminal to ask on: say --yes to do it"));
    }
    eprint!("{impact} Go on? [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
