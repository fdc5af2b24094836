//! Nothing: the README's quickstart is run by the test beside this.
