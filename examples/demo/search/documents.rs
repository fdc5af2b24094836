//! A city as a document, and back.

use tantivy::schema::{FAST, Field, INDEXED, STORED, STRING, Schema, TEXT, Value as _};
use tantivy::{TantivyDocument, Term};

use crate::city;

pub(super) fn schema() -> Schema {
    let mut schema = Schema::builder();
    schema.add_i64_field("id", INDEXED | STORED | FAST);
    schema.add_u64_field("version", FAST);
    schema.add_bool_field("deleted", FAST);
    schema.add_text_field("name", TEXT | STORED);
    schema.add_text_field("country", STRING | STORED);
    schema.add_text_field("admin1", TEXT | STORED);
    schema.add_text_field("admin2", TEXT | STORED);
    schema.add_f64_field("lat", FAST | STORED);
    schema.add_f64_field("lon", FAST | STORED);
    schema.add_i64_field("revision", STORED);
    schema.build()
}

/// The fields of [`schema`], looked up once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields {
    id: Field,
    version: Field,
    deleted: Field,
    pub(super) name: Field,
    country: Field,
    admin1: Field,
    admin2: Field,
    lat: Field,
    lon: Field,
    revision: Field,
}

impl Fields {
    pub(super) fn of(schema: &Schema) -> tantivy::Result<Self> {
        Ok(Self {
            id: schema.get_field("id")?,
            version: schema.get_field("version")?,
            deleted: schema.get_field("deleted")?,
            name: schema.get_field("name")?,
            country: schema.get_field("country")?,
            admin1: schema.get_field("admin1")?,
            admin2: schema.get_field("admin2")?,
            lat: schema.get_field("lat")?,
            lon: schema.get_field("lon")?,
            revision: schema.get_field("revision")?,
        })
    }

    /// The term that finds the document of a city, or its tombstone.
    pub(super) fn id_term(&self, id: i64) -> Term {
        Term::from_field_i64(self.id, id)
    }

    pub(super) fn document(&self, city: &city::Model, version: u64) -> TantivyDocument {
        let mut document = TantivyDocument::new();
        document.add_i64(self.id, city.id);
        document.add_u64(self.version, version);
        document.add_bool(self.deleted, false);
        document.add_text(self.name, &city.name);
        document.add_text(self.country, &city.country);
        document.add_text(self.admin1, &city.admin1);
        document.add_text(self.admin2, &city.admin2);
        document.add_f64(self.lat, city.lat);
        document.add_f64(self.lon, city.lon);
        document.add_i64(self.revision, city.revision);
        document
    }

    /// The tombstone that a delete leaves: no field of the city, only the version of the delete.
    pub(super) fn tombstone(&self, id: i64, version: u64) -> TantivyDocument {
        let mut document = TantivyDocument::new();
        document.add_i64(self.id, id);
        document.add_u64(self.version, version);
        document.add_bool(self.deleted, true);
        document
    }

    /// Reads a document back; `None` if a field is missing, as in a tombstone.
    pub(super) fn city(&self, document: &TantivyDocument) -> Option<city::Model> {
        let text = |field| Some(document.get_first(field)?.as_str()?.to_owned());
        let integer = |field| document.get_first(field)?.as_i64();
        let float = |field| document.get_first(field)?.as_f64();
        Some(city::Model {
            id: integer(self.id)?,
            name: text(self.name)?,
            country: text(self.country)?,
            admin1: text(self.admin1)?,
            admin2: text(self.admin2)?,
            lat: float(self.lat)?,
            lon: float(self.lon)?,
            revision: integer(self.revision)?,
        })
    }
}
