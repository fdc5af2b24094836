//! Errors of keys that have no form in messages.

/// A primary key that has no form in messages; the source of [`Error::Message`](crate::Error::Message).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// NaN or an infinity, which JSON cannot express.
    #[error("the key's column `{column}` is {value}, which JSON cannot express")]
    NotFinite {
        /// The column.
        column: &'static str,
        /// `NaN`, `inf` or `-inf`.
        value: f64,
    },
    /// `NULL` is no key.
    #[error("the key's column `{column}` is NULL")]
    Null {
        /// The column.
        column: &'static str,
    },
    /// A feature of `redstream-seaorm` that keys of this type need is off.
    #[error(
        "the key's column `{column}` is of SeaORM's type {kind}: such keys need the feature `{feature}` of redstream-seaorm"
    )]
    MissingFeature {
        /// The column.
        column: &'static str,
        /// The variant of SeaORM's `Value`, such as `TimeDate`.
        kind: String,
        /// The feature.
        feature: &'static str,
    },
    /// No feature adds keys of this type.
    #[error(
        "the key's column `{column}` is of SeaORM's type {kind}, which is not supported in keys of streamed tables"
    )]
    Unsupported {
        /// The column.
        column: &'static str,
        /// The variant of SeaORM's `Value`, such as `Json`.
        kind: String,
    },
    /// A date that, in UTC, is out of the range of its type.
    #[error("the key's column `{column}` holds a time that cannot be converted to UTC")]
    OutOfRange {
        /// The column.
        column: &'static str,
    },
}

/// The feature that adds keys of this variant of SeaORM's `Value`.
pub(super) fn feature_of(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "Uuid" => "with-uuid",
        "Decimal" => "with-rust_decimal",
        "BigDecimal" => "with-bigdecimal",
        "IpNetwork" => "with-ipnetwork",
        "MacAddress" => "with-mac_address",
        _ if kind.starts_with("Chrono") => "with-chrono",
        _ if kind.starts_with("Time") => "with-time",
        _ => return None,
    })
}
