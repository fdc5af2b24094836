//! The SeaORM adapter, by the files of `redstream-seaorm`.
mod bulk;
mod city;
mod connection;
mod derive;
mod hooks;
mod indexer;
mod insurance;
mod keys;
mod library;
mod outage;
mod savepoints;
mod token;
mod touch;
mod transaction;
mod unkeyed;
mod world;
mod wrappers;
