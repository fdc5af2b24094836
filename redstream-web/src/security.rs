//! Headers of every response, and checks of where a request comes from.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{self, Request};
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::Failure;
use crate::state::State;

/// For everything but the page: nothing may be loaded, and nothing may embed it.
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// A header that no page of another origin can send without being asked for permission first.
const ACTION: &str = "x-redstream-action";

/// Adds the headers, and refuses a host name that is not the dashboard's, and what another site loads.
pub(crate) async fn guard(extract::State(state): extract::State<Arc<State>>, request: Request, next: Next) -> Response {
    let mut response = if !is_named(&state, &request) {
        (StatusCode::MISDIRECTED_REQUEST, "This dashboard is not reached by this host name.").into_response()
    } else if is_loaded_by_another_site(request.headers()) {
        Failure::CrossSite.into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(NOTHING));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
    response
}

/// Whether the host name of the request is one of those that were configured, an IP address, or `localhost`.
fn is_named(state: &State, request: &Request) -> bool {
    let Some(hosts) = &state.hosts else { return true };
    // HTTP/2 has it in the URI instead.
    let host = request.headers().get(HOST).map(|host| host.to_str().ok());
    let host = host.unwrap_or_else(|| request.uri().authority().map(axum::http::uri::Authority::as_str));
    let name = name_of(host.unwrap_or_default());
    name == "localhost" || name.parse::<IpAddr>().is_ok() || hosts.contains(&name)
}

/// The host without its port and brackets, in lower case.
fn name_of(host: &str) -> String {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.to_ascii_lowercase()
}

/// Whether a page of another site loads this as a part of itself, which would use up viewers. It may link to the page.
fn is_loaded_by_another_site(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site");
    site.is_some_and(|site| site == "cross-site" || site == "same-site")
        && headers.get("sec-fetch-mode").is_none_or(|mode| mode != "navigate")
}

/// Passes requests of the page itself and of programs that are not browsers.
///
/// Browsers send `Sec-Fetch-Site` over HTTPS and to this machine. Without it, only the custom header is proof: a page
/// of another origin cannot send it.
///
/// # Errors
///
/// [`Failure::CrossSite`] for all others.
pub(crate) fn check_origin(headers: &HeaderMap) -> Result<(), Failure> {
    let is_ours = match headers.get("sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => headers.contains_key(ACTION),
    };
    if is_ours { Ok(()) } else { Err(Failure::CrossSite) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_read_without_its_port() {
        let names = ["LOCALHOST:80", "[::1]:80", "a.example", "127.0.0.1:1"].map(name_of);
        assert_eq!(names, ["localhost", "::1", "a.example", "127.0.0.1"]);
    }

    #[test]
    fn only_the_same_origin_or_a_custom_header_is_accepted() {
        let check = |pairs: &[(&'static str, &'static str)]| {
            let pairs =
                pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            check_origin(&pairs.collect()).is_ok()
        };
        assert!(check(&[("sec-fetch-site", "same-origin")]));
        assert!(check(&[(ACTION, "1")]));
        assert!(!check(&[]));
        for site in ["cross-site", "same-site", "none"] {
            assert!(!check(&[("sec-fetch-site", site), (ACTION, "1")]), "{site}");
        }
    }
}
