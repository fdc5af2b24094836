//! What an index looks like.

/// How documents are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Hash,
    Json,
}

impl Kind {
    /// As `FT.CREATE` and `FT.INFO` have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hash => "HASH",
            Self::Json => "JSON",
        }
    }

    /// As `TYPE` and `SCAN` have it.
    pub(crate) fn of_keys(self) -> &'static str {
        match self {
            Self::Hash => "hash",
            Self::Json => "ReJSON-RL",
        }
    }
}

/// An index over the documents whose keys begin with a prefix, as `FT.CREATE` takes it.
///
/// ```
/// use redstream_sinks::redisearch::{Field, Index};
///
/// let cities = Index::hash("cities", "city:")
///     .field(Field::numeric("id").sortable())
///     .field(Field::text("name"))
///     .field(Field::tag("country"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Index {
    pub(crate) name: String,
    pub(crate) prefix: String,
    pub(crate) kind: Kind,
    pub(crate) options: Vec<String>,
    pub(crate) fields: Vec<Field>,
}

impl Index {
    /// Documents are hashes: a field for each member of the record. The members are texts, numbers, booleans
    /// (`true`, `false`), or null, which is left out.
    pub fn hash(name: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self::of(Kind::Hash, name.into(), prefix.into())
    }

    /// Documents are JSON: the record as its `Serialize` has it, which must be an object. Needs the module RedisJSON,
    /// too.
    pub fn json(name: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self::of(Kind::Json, name.into(), prefix.into())
    }

    fn of(kind: Kind, name: String, prefix: String) -> Self {
        Self { name, prefix, kind, options: Vec::new(), fields: Vec::new() }
    }

    /// A field to search by. At least one is needed to create the index.
    pub fn field(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }

    /// More arguments of `FT.CREATE`, which stand before `SCHEMA`: `["LANGUAGE", "german"]`.
    ///
    /// With a `FILTER`, documents may be left out of the index on purpose: the sink then cannot tell which are left out
    /// by mistake, and does not check.
    pub fn options(mut self, arguments: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.options.extend(arguments.into_iter().map(Into::into));
        self
    }

    pub(crate) fn leaves_out_on_purpose(&self) -> bool {
        self.options.iter().any(|option| option.eq_ignore_ascii_case("FILTER"))
    }

    /// `FT.CREATE …`.
    pub(crate) fn create(&self) -> redis::Cmd {
        let mut create = redis::cmd("FT.CREATE");
        create.arg(&self.name).arg("ON").arg(self.kind.name()).arg("PREFIX").arg(1).arg(&self.prefix);
        create.arg(&self.options).arg("SCHEMA");
        for field in &self.fields {
            match (&field.path, self.kind) {
                (Some(path), _) => create.arg(path).arg("AS").arg(&field.name),
                (None, Kind::Json) => create.arg(format!("$.{}", field.name)).arg("AS").arg(&field.name),
                (None, Kind::Hash) => create.arg(&field.name),
            };
            create.arg(&field.arguments);
        }
        create
    }
}

/// A field of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Field {
    pub(crate) name: String,
    path: Option<String>,
    arguments: Vec<String>,
}

impl Field {
    /// For full-text search.
    pub fn text(name: impl Into<String>) -> Self {
        Self::raw(name, ["TEXT"])
    }

    /// For exact values: `@country:{de}`. A value with commas is several, unless `SEPARATOR` says otherwise.
    pub fn tag(name: impl Into<String>) -> Self {
        Self::raw(name, ["TAG"])
    }

    /// For ranges: `@id:[1 5]`. RediSearch has numbers as 64-bit floats, so integers beyond ±2⁵³ are rounded.
    pub fn numeric(name: impl Into<String>) -> Self {
        Self::raw(name, ["NUMERIC"])
    }

    /// A longitude and a latitude: `"9.99,48.4"`.
    pub fn geo(name: impl Into<String>) -> Self {
        Self::raw(name, ["GEO"])
    }

    /// Any type, such as a vector, by the arguments that follow its name in `FT.CREATE`: the type first.
    pub fn raw(name: impl Into<String>, arguments: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { name: name.into(), path: None, arguments: arguments.into_iter().map(Into::into).collect() }
    }

    /// The JSON path of the field, or its name in the hash. Default: `$.NAME`, or the name.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Results can be sorted by it.
    pub fn sortable(self) -> Self {
        self.with(["SORTABLE"])
    }

    /// More arguments, such as `["WEIGHT", "2"]` or `["SEPARATOR", ";"]`.
    pub fn with(mut self, arguments: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// `TEXT`, `TAG`, …
    pub(crate) fn kind(&self) -> &str {
        self.arguments.first().map_or("", String::as_str)
    }
}
