//! The SeaORM adapter, by the files of `redstream-seaorm`.
mod indexer;
