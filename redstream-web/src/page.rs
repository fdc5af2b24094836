//! The page: one document with its style and its scripts, each with the nonce of the response.

use std::sync::Arc;

use axum::extract::{self, Request};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};

use crate::state::State;
use crate::verb::Verb;

const PAGE: &str = include_str!("../assets/page.html");
const STYLE: &str = concat!(include_str!("../assets/base.css"), include_str!("../assets/style.css"));
const ICON: &str = include_str!("../assets/icon.svg");

/// In the order in which they use each other.
const SCRIPTS: [&str; 10] = [
    include_str!("../assets/format.js"),
    include_str!("../assets/dom.js"),
    include_str!("../assets/each.js"),
    include_str!("../assets/dialogs.js"),
    include_str!("../assets/actions.js"),
    include_str!("../assets/dead.js"),
    include_str!("../assets/plot.js"),
    include_str!("../assets/flow.js"),
    include_str!("../assets/sections.js"),
    include_str!("../assets/live.js"),
];

/// The page. It has the names of the actions that this user may perform, and no data.
pub(crate) async fn page(extract::State(state): extract::State<Arc<State>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let allowed = Verb::ALL.into_iter().filter(|verb| state.user(&parts, *verb).is_some());
    let allowed = allowed.map(Verb::name).collect::<Vec<_>>().join(" ");
    // 122 random bits.
    let nonce = uuid::Uuid::new_v4().simple().to_string();
    let script = format!("\"use strict\";\n(() => {{\n{}\n}})();", SCRIPTS.join("\n"));
    let page = PAGE.replace("{{nonce}}", &nonce).replace("{{actions}}", &allowed);
    let page = page.replace("{{style}}", STYLE).replace("{{script}}", &script);
    ([(CONTENT_SECURITY_POLICY, policy(&nonce))], Html(page)).into_response()
}

fn policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self'; connect-src 'self'; \
         frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
}

/// `icon.svg`.
pub(crate) async fn icon() -> impl IntoResponse {
    ([(CONTENT_TYPE, "image/svg+xml")], ICON)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_script_writes_html() {
        for script in SCRIPTS {
            for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "</script"] {
                assert!(!script.contains(word), "{word}");
            }
        }
        assert!(!STYLE.contains("</style") && !STYLE.contains("url("));
    }
}
