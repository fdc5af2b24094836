//! The signatures of messages: HMAC-SHA256 of id, time and body.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The prefix of a secret.
const PREFIX: &str = "whsec_";

/// The secrets by which messages are signed.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Vec<Hmac<Sha256>>);

impl Secrets {
    /// Adds a secret of the form `whsec_` and base64 of 24 to 64 bytes.
    ///
    /// # Errors
    ///
    /// What is wrong with it, without the secret.
    pub(crate) fn add(&mut self, secret: &str) -> Result<(), String> {
        let encoded = secret.strip_prefix(PREFIX).unwrap_or(secret);
        let key = STANDARD.decode(encoded).map_err(|_| "a secret must be `whsec_` and base64".to_owned())?;
        if !(24..=64).contains(&key.len()) {
            return Err(format!("a secret must have 24 to 64 bytes, and this one has {}", key.len()));
        }
        self.0.push(Hmac::new_from_slice(&key).map_err(|error| error.to_string())?);
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The header `webhook-signature`: one signature for each secret, so that the receiver may know any of them.
    pub(crate) fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let head = format!("{id}.{timestamp}.");
        let sign = |secret: &Hmac<Sha256>| {
            let mut mac = secret.clone();
            mac.update(head.as_bytes());
            mac.update(body);
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        };
        self.0.iter().map(sign).collect::<Vec<_>>().join(" ")
    }
}

impl fmt::Debug for Secrets {
    /// Never a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn a_signature_is_that_of_the_specification() {
        let mut secrets = Secrets::default();
        secrets.add(SECRET).unwrap();
        // The example of the specification's reference libraries.
        let signature = secrets.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        secrets.add(SECRET).unwrap();
        assert_eq!(secrets.sign("a", 1, b"").split(' ').count(), 2);
    }

    #[test]
    fn what_is_no_secret_is_refused_and_never_shown() {
        let mut secrets = Secrets::default();
        for secret in ["", "whsec_", "whsec_secret!", "whsec_c2VjcmV0"] {
            let error = secrets.add(secret).unwrap_err();
            assert!(!error.contains("c2VjcmV0") && !error.contains("secret!"), "{error}");
        }
        secrets.add(SECRET).unwrap();
        assert!(!format!("{secrets:?}").contains("MfKQ"));
    }
}
