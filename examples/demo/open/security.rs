//! Headers of every response, and which requests are answered: those of this page, by an address of this machine.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// For everything but the page: nothing may be loaded, and nothing may embed it.
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Adds the headers. Refuses other host names, by which a public site could reach this page (DNS rebinding), and what
/// another site sends or loads.
pub(super) async fn guard(request: Request, next: Next) -> Response {
    let mut response = if !is_of_this_machine(request.headers()) {
        (StatusCode::MISDIRECTED_REQUEST, "This page is not reached by this host name.").into_response()
    } else if is_of_another_site(request.method(), request.headers()) {
        (StatusCode::FORBIDDEN, "The request was sent by another site.").into_response()
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

fn is_of_this_machine(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => host.split(':').next(),
    };
    name.is_some_and(|name| name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok())
}

/// Browsers say which site a request comes from. Other sites may link to the page. A program that is no browser says
/// nothing, and a page of another origin cannot send JSON without asking, which is never permitted.
fn is_of_another_site(method: &Method, headers: &HeaderMap) -> bool {
    match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        None | Some(b"same-origin" | b"none") => false,
        Some(_) => method != Method::GET || headers.get("sec-fetch-mode").is_none_or(|mode| mode != "navigate"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        pairs.collect()
    }

    #[test]
    fn only_addresses_of_machines_and_localhost_are_answered() {
        for (host, is_ours) in
            [("127.0.0.1:1", true), ("[::1]:1", true), ("LocalHost", true), ("evil.example", false), ("", false)]
        {
            assert_eq!(is_of_this_machine(&headers(&[("host", host)])), is_ours, "{host}");
        }
        assert!(!is_of_this_machine(&headers(&[])));
    }

    #[test]
    fn another_site_may_link_to_the_page_and_do_nothing_else() {
        let from = |method, site, mode| {
            is_of_another_site(&method, &headers(&[("sec-fetch-site", site), ("sec-fetch-mode", mode)]))
        };
        assert!(!from(Method::GET, "cross-site", "navigate"));
        assert!(from(Method::GET, "cross-site", "no-cors"));
        assert!(from(Method::POST, "cross-site", "navigate"));
        assert!(from(Method::POST, "same-site", "cors"));
        assert!(!from(Method::POST, "same-origin", "cors"));
        assert!(!is_of_another_site(&Method::POST, &headers(&[])));
    }
}
