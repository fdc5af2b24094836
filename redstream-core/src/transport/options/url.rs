//! Refuses URLs that would connect to another server, or as another user, than intended. The error quotes nothing of
//! the URL, since a part of it may be a password.

use redis::{ConnectionInfo, IntoConnectionInfo};

use super::Place;
use crate::error::{Error, Result};

impl Place {
    /// Errors if a URL would be misread.
    pub(super) fn check(&self) -> Result<()> {
        match self {
            Self::Single(url) => check(url).map(drop),
            Self::Sentinel { urls, node, .. } => {
                check(node)?;
                let reason = "a Sentinel has no databases: name that of Redis itself by `node`";
                urls.iter().try_for_each(|url| without_database(url, "sentinel", reason))
            }
            Self::Cluster(urls) => {
                let reason = "a Cluster has one database: leave out the number at the end of the URL";
                urls.iter().try_for_each(|url| without_database(url, "cluster", reason))
            }
        }
    }
}

fn without_database(url: &str, option: &'static str, reason: &str) -> Result<()> {
    match check(url)? {
        Some(info) if info.redis_settings().db() != 0 => {
            Err(Error::InvalidOption { option, reason: reason.to_owned() })
        }
        _ => Ok(()),
    }
}

/// The parsed URL; `None` if it is no URL, which is reported when it is used.
fn check(url: &str) -> Result<Option<ConnectionInfo>> {
    if let Some((scheme, rest)) = url.split_once("://")
        && matches!(scheme, "redis" | "rediss" | "valkey" | "valkeys")
    {
        if cfg!(not(feature = "tls")) && matches!(scheme, "rediss" | "valkeys") {
            return Err(Error::TlsNotBuiltIn);
        }
        // A path, a query or a fragment begins with the first of these, and user and password end before it.
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        if rest[end..].contains(['@', '#']) {
            return Err(refused(
                "a part of it is not escaped: write # as %23, / as %2F, ? as %3F and @ as %40 in a user's name and a password",
            ));
        }
    }
    let Ok(info) = url.into_connection_info() else { return Ok(None) };
    let settings = info.redis_settings();
    if settings.username().is_some() && settings.password().is_none_or(str::is_empty) {
        return Err(refused(
            "it names a user and no password, and Redis would take the connection for one of the user `default`: give the \
             password, and any one for a user who needs none",
        ));
    }
    Ok(Some(info))
}

fn refused(reason: &str) -> Error {
    Error::InvalidOption { option: "url", reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(url: &str) -> String {
        match check(url) {
            Err(error) => error.to_string(),
            Ok(info) => panic!("{url}: {:?}", info.is_some()),
        }
    }

    #[test]
    fn what_is_not_escaped_is_refused_and_not_shown() {
        for url in [
            "redis://:se#cret@host/",
            "redis://shop:12#34@host:1/",
            "redis://shop:12/34@host/",
            "redis://shop:12?34@host/",
            "valkey://:se#cret@host/",
            "redis://host/#secret",
        ] {
            let reason = reason(url);
            assert!(reason.contains("%23"), "{url}: {reason}");
            assert!(!["cret", "34", "12"].iter().any(|part| reason.contains(part)), "{url}: {reason}");
        }
        assert!(check("redis://shop:se%23%2F%3F%40cret@host/2?protocol=resp3").is_ok());
        assert!(check("redis://shop:p@ss@host/").is_ok(), "the last @ ends the password");
    }

    #[test]
    fn a_user_without_a_password_is_refused() {
        for url in ["redis://shop:@host/", "redis://shop@host/", "unix:///run/redis.sock?user=shop"] {
            assert!(reason(url).contains("password"), "{url}");
        }
        assert!(check("redis://:secret@host/").is_ok());
        assert!(check("unix:///run/redis@1.sock?user=shop&pass=secret").is_ok());
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn tls_that_was_not_built_in_is_an_error_that_names_the_feature() {
        for url in ["rediss://host/", "valkeys://host/"] {
            assert!(matches!(check(url), Err(Error::TlsNotBuiltIn)), "{url}");
            assert!(reason(url).contains("feature `tls`"), "{url}");
        }
    }

    /// redis-rs accepts URLs that disable the verification of certificates. This crate does not.
    #[cfg(feature = "tls")]
    #[test]
    fn certificates_are_verified_whatever_the_url_says() {
        assert!(check("rediss://host/").is_ok());
        assert!(reason("rediss://host/#insecure").contains("escaped"));
    }
}
