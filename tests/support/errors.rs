//! Which error it is: found by its type, not by its text.

use std::error::Error as StdError;
use std::iter;

use redis::RedisError;
use redstream_seaorm::ErrorKind;
use sea_orm::DbErr;

/// Asserts that SeaORM carries this error of the adapter, as in
/// `assert_carries!(error, Error::Bypass { table, verb: "DELETE", .. } if table == "cities", "{statement}")`.
/// `BulkError` is found in the same way; the context is optional.
macro_rules! assert_carries {
    (
        $error:expr,
        $enum:ident :: $variant:ident $({ $($fields:tt)* })? $(( $inner:pat ))? $(if $condition:expr)?
        $(, $($context:tt)+)?
    ) => {{
        let error: &sea_orm::DbErr = &$error;
        let is_it = matches!(
            $enum::of(error),
            Some($enum::$variant $({ $($fields)* })? $(($inner))?) $(if $condition)?
        );
        assert!(is_it, "{error:?} {}", String::new() $(+ &format!($($context)+))?);
    }};
}

/// Asserts that this error comes from the database itself, and that its text contains `piece`.
pub(crate) fn assert_of_the_database(error: &DbErr, piece: &str) {
    let is_of_the_database = matches!(error, DbErr::Exec(_) | DbErr::Query(_)) && ErrorKind::of(error).is_none();
    assert!(is_of_the_database && error.to_string().to_lowercase().contains(piece), "{piece}: {error:?}");
}

/// The first of its causes that is of type `E`.
pub(crate) fn cause<'e, E: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e E> {
    iter::successors(error.source(), |&error| error.source()).find_map(|error| error.downcast_ref())
}

/// The code with which Redis refused, such as `OOM`: one command, or each of a pipeline.
pub(crate) fn redis_code(error: &redstream_core::Error) -> Option<String> {
    let errors = cause::<RedisError>(error)?.clone().into_server_errors()?;
    let mut codes: Vec<_> = errors.iter().map(|(_, error)| error.code().to_owned()).collect();
    codes.dedup();
    if codes.len() == 1 { codes.pop() } else { None }
}
