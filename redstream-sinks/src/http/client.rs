//! The HTTP client, and whom it trusts.

use std::sync::Arc;
use std::time::Duration;

use redstream_seaorm::BoxError;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// Why no client can be made.
#[derive(Debug)]
pub(crate) struct Unusable {
    pub(crate) what: String,
    pub(crate) source: Option<BoxError>,
}

/// A client that follows no redirects and repeats nothing by itself. It trusts these certificates, as PEM texts, or
/// those of the operating system if there are none.
pub(crate) fn client(
    roots: &[Vec<u8>],
    uses_tls: bool,
    connect: Duration,
    timeout: Duration,
) -> Result<reqwest::Client, Unusable> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls(roots, uses_tls)?)
        .connect_timeout(connect.min(timeout))
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .user_agent(concat!("redstream-sinks/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| unusable("the HTTP client refuses the options", Some(error.into())))
}

fn tls(roots: &[Vec<u8>], is_used: bool) -> Result<ClientConfig, Unusable> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let refused = |error: rustls::Error| unusable("TLS cannot be set up", Some(error.into()));
    let builder = ClientConfig::builder_with_provider(provider.clone());
    let builder = builder.with_safe_default_protocol_versions().map_err(refused)?;
    if roots.is_empty() && is_used {
        let verifier = rustls_platform_verifier::Verifier::new(provider).map_err(refused)?;
        return Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth());
    }
    let mut store = RootCertStore::empty();
    for pem in roots {
        let before = store.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let unread = |error| unusable("a root certificate is no PEM", Some(BoxError::from(error)));
            store.add(certificate.map_err(|error| unread(format!("{error}")))?).map_err(refused)?;
        }
        if store.len() == before {
            return Err(unusable("a PEM text has no certificate", None));
        }
    }
    Ok(builder.with_root_certificates(store).with_no_client_auth())
}

fn unusable(what: &str, source: Option<BoxError>) -> Unusable {
    Unusable { what: what.to_owned(), source }
}
