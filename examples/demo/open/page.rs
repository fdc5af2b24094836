//! The page: one document with its style and its scripts, each with the nonce of the response.

use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};
use uuid::Uuid;

const PAGE: &str = include_str!("../assets/page.html");
const STYLE: &str =
    concat!(include_str!("../../../redstream-web/assets/base.css"), include_str!("../assets/style.css"));
const ICON: &str = include_str!("../../../redstream-web/assets/icon.svg");

/// In the order in which they use each other.
const SCRIPTS: [&str; 4] = [
    include_str!("../../../redstream-web/assets/each.js"),
    include_str!("../assets/dom.js"),
    include_str!("../assets/search.js"),
    include_str!("../assets/board.js"),
];

pub(super) async fn page() -> Response {
    // 122 random bits.
    let nonce = Uuid::new_v4().simple().to_string();
    let script = format!("\"use strict\";\n(() => {{\n{}\n}})();", SCRIPTS.join("\n"));
    let page = PAGE.replace("{{nonce}}", &nonce).replace("{{style}}", STYLE).replace("{{script}}", &script);
    ([(CONTENT_SECURITY_POLICY, policy(&nonce))], Html(page)).into_response()
}

fn policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self'; connect-src 'self'; \
         frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
}

/// `icon.svg`.
pub(super) async fn icon() -> impl IntoResponse {
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
