//! The page, its headers, and where it may be mounted.

use axum::Router;
use axum::http::{Request, StatusCode};
use redstream_web::{Dashboard, Verb};

use crate::support::{get, redstream, send};

const GETS: [&str; 7] =
    ["/", "/icon.svg", "/status", "/dead?stream=a&consumer=b", "/dead-groups", "/trim-impact?stream=a", "/nothing"];

#[tokio::test]
async fn every_response_has_the_headers_that_protect_it() {
    let router = Dashboard::new(redstream().await).into_router();
    for path in GETS {
        let answer = get(&router, path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin", "{path}");
        let policy = answer.header("content-security-policy");
        for rule in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"] {
            assert!(policy.contains(rule), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{path}: {policy}");
    }
}

#[tokio::test]
async fn scripts_and_styles_run_by_a_nonce_that_is_used_once() {
    let router = Dashboard::new(redstream().await).into_router();
    let mut nonces = Vec::new();
    for _ in 0..2 {
        let answer = get(&router, "/").await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "text/html; charset=utf-8"));
        let policy = answer.header("content-security-policy");
        let nonce =
            policy.split("script-src 'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).unwrap().to_owned();
        assert!(nonce.len() >= 32 && policy.contains(&format!("style-src 'nonce-{nonce}'")), "{policy}");
        assert!(policy.contains("connect-src 'self'"), "{policy}");
        let tags = answer.text.matches("<script").count() + answer.text.matches("<style").count();
        assert_eq!(answer.text.matches(&format!("nonce=\"{nonce}\"")).count(), tags);
        assert!(!answer.text.contains("{{"), "a placeholder is left");
        for attribute in [" style=", " onclick=", " src=", "http-equiv", "javascript:"] {
            assert!(!answer.text.contains(attribute), "{attribute}");
        }
        nonces.push(nonce);
    }
    assert_ne!(nonces[0], nonces[1]);
}

#[tokio::test]
async fn it_is_mounted_under_any_path_with_or_without_a_slash() {
    let dashboard = Dashboard::new(redstream().await).into_router();
    let app = Router::new().nest_service("/admin/redstream", dashboard);
    for path in ["/admin/redstream", "/admin/redstream/", "/admin/redstream/status"] {
        assert_eq!(get(&app, path).await.status, StatusCode::OK, "{path}");
    }
    let page = get(&app, "/admin/redstream").await.text;
    assert!(!page.contains("href=\"/") && !page.contains("action="), "it has an absolute address");
}

#[tokio::test]
async fn the_page_knows_only_what_this_user_may_do() {
    let actions = |page: &str| {
        let list = page.split("data-actions=\"").nth(1).unwrap();
        list.split('"').next().unwrap().to_owned()
    };
    let none = Dashboard::new(redstream().await).into_router();
    assert_eq!(actions(&get(&none, "/").await.text), "");
    let some = Dashboard::new(redstream().await)
        .allow_actions(|parts, verb| {
            let user = parts.headers.get("x-user")?.to_str().ok()?;
            matches!(verb, Verb::Pause | Verb::Redrive).then(|| user.to_owned())
        })
        .into_router();
    assert_eq!(actions(&get(&some, "/").await.text), "");
    let request = Request::get("/").header("x-user", "ann").body(axum::body::Body::empty()).unwrap();
    assert_eq!(actions(&send(&some, request).await.text), "pause redrive");
}

#[tokio::test]
async fn another_site_may_link_to_the_page_and_load_nothing_of_it() {
    let router = Dashboard::new(redstream().await).into_router();
    let modes = [("/", "navigate", StatusCode::OK), ("/", "no-cors", StatusCode::FORBIDDEN)];
    for (path, mode, expected) in modes.into_iter().chain(GETS.map(|path| (path, "cors", StatusCode::FORBIDDEN))) {
        for site in ["cross-site", "same-site"] {
            let request = Request::get(path).header("sec-fetch-site", site).header("sec-fetch-mode", mode);
            let answer = send(&router, request.body(axum::body::Body::empty()).unwrap()).await;
            assert_eq!(answer.status, expected, "{path}, {site}, {mode}");
        }
    }
}

#[tokio::test]
async fn another_host_name_is_refused_if_names_are_given() {
    let router = Dashboard::new(redstream().await).only_hosts(["Ops.Example"]).into_router();
    let hosts = [
        ("ops.example:8000", true),
        ("127.0.0.1:8000", true),
        ("[::1]:8000", true),
        ("localhost", true),
        ("evil.example", false),
        ("127.0.0.1.evil.example", false),
        ("", false),
    ];
    for (host, is_ours) in hosts {
        let request = Request::get("/").header("host", host).body(axum::body::Body::empty()).unwrap();
        let expected = if is_ours { StatusCode::OK } else { StatusCode::MISDIRECTED_REQUEST };
        assert_eq!(send(&router, request).await.status, expected, "{host}");
    }
    // As HTTP/2 says it.
    for (uri, expected) in
        [("http://ops.example/", StatusCode::OK), ("http://evil.example/", StatusCode::MISDIRECTED_REQUEST)]
    {
        let request = Request::get(uri).body(axum::body::Body::empty()).unwrap();
        assert_eq!(send(&router, request).await.status, expected, "{uri}");
    }
}
