//! The certificates of a Redis that is reached by TLS.

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use redstream_servers::{RedisOptions, free_port};
use tempfile::TempDir;

const HOST: &str = "127.0.0.1";

/// One for a server of this machine, and that of the authority that signed it.
pub(super) struct Certificates {
    folder: TempDir,
    root: String,
    port: u16,
}

impl Certificates {
    pub(super) fn new() -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec![HOST.to_owned()])?.signed_by(&key, &authority)?;
        let (folder, root) = (tempfile::tempdir()?, authority.pem());
        for (name, text) in
            [("server.pem", certificate.pem()), ("server.key", key.serialize_pem()), ("root.pem", root.clone())]
        {
            std::fs::write(folder.path().join(name), text)?;
        }
        Ok(Self { folder, root, port: free_port()? })
    }

    /// A server with them, whose port for TLS is that of [`url`](Self::url).
    pub(super) fn serve(&self, options: RedisOptions) -> Result<RedisOptions> {
        let options = options.arg("--tls-port").arg(self.port.to_string()).arg("--tls-auth-clients").arg("no");
        let files =
            [("--tls-cert-file", "server.pem"), ("--tls-key-file", "server.key"), ("--tls-ca-cert-file", "root.pem")];
        files.into_iter().try_fold(options, |options, (option, name)| Ok(options.arg(option).arg(self.file(name)?)))
    }

    pub(super) fn url(&self) -> String {
        format!("rediss://{HOST}:{}/", self.port)
    }

    /// The authority's certificate, in PEM.
    pub(super) fn root(&self) -> Vec<u8> {
        self.root.clone().into_bytes()
    }

    fn file(&self, name: &str) -> Result<String> {
        let path = self.folder.path().join(name);
        Ok(path.to_str().context("the folder of temporary files is not UTF-8")?.to_owned())
    }
}
