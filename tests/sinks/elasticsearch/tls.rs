//! TLS: verified always.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_util::task::AbortOnDropHandle;

use super::*;

/// TLS in front of a server, with a certificate for `127.0.0.1` that an authority of its own has signed.
struct Front {
    port: u16,
    authority: String,
    _accepting: AbortOnDropHandle<()>,
}

async fn front(server: u16) -> Front {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let accepting = tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            connections.spawn(async move {
                let mut client = acceptor.accept(client).await?;
                tokio::io::copy_bidirectional(&mut client, &mut TcpStream::connect(("127.0.0.1", server)).await?).await
            });
        }
    });
    Front { port, authority: authority.pem(), _accepting: AbortOnDropHandle::new(accepting) }
}

#[tokio::test]
async fn a_server_is_trusted_by_its_authority_alone() {
    let server = Server::any().await;
    let front = front(server.port()).await;
    let other = self::front(server.port()).await;
    let sink = |authority: Option<&str>| {
        let builder = Elasticsearch::builder([format!("https://127.0.0.1:{}", front.port)]);
        let builder = match authority {
            Some(authority) => builder.root_certificates(authority),
            None => builder,
        };
        let sink = ElasticsearchSink::<city::Entity>::new(builder.build().unwrap(), "cities");
        sink.create_index(mapping()).refresh(Refresh::Now)
    };
    write(&sink(Some(&front.authority)), changes(1, [(1, named("Ulm"))], &[])).await.unwrap();
    assert_eq!(server.document("1").await, Some(named("Ulm")));

    for authority in [None, Some(&*other.authority)] {
        let error = error_of(write(&sink(authority), changes(2, [(1, named("stolen"))], &[])).await);
        let Error::Connection { source, .. } = &error else { panic!("{error}") };
        let mut causes = format!("{source:?}");
        causes.make_ascii_lowercase();
        assert!(causes.contains("unknownissuer") || causes.contains("certificate"), "{causes}");
    }
    assert_eq!(server.document("1").await, Some(named("Ulm")));
}
