//! The SeaORM adapter, by the files of `redstream-seaorm`.
mod indexer;
mod city;
mod hooks;
mod savepoints;
mod transaction;
mod world;
