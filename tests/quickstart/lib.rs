//! Empty: the README's quickstart is run by the test of this package.
