//! What an error of the database says of the rows of its statement.

use sea_orm::{DbBackend, DbErr, RuntimeErr, SqlxError};

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// One of the rows': a constraint, a type, a trigger.
    Row,
    /// A lock's: the same transaction may succeed at once.
    Lock,
    /// Neither's, such as a broken connection or a missing table.
    Other,
}

pub(crate) fn fault(error: &DbErr, backend: DbBackend) -> Fault {
    let (DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))
    | DbErr::Conn(RuntimeErr::SqlxError(error))) = error
    else {
        return Fault::Other;
    };
    match &**error {
        // A value that the driver cannot write.
        SqlxError::Encode(_) => Fault::Row,
        SqlxError::Database(error) => {
            let code = error.code().unwrap_or_default();
            match backend {
                DbBackend::Sqlite => sqlite(&code),
                DbBackend::MySql => mysql(&code, &error.to_string()),
                _ => postgres(&code),
            }
        }
        _ => Fault::Other,
    }
}

/// By the classes of SQLSTATE.
fn postgres(code: &str) -> Fault {
    match code {
        // Serialization, deadlock, lock not available.
        "40001" | "40P01" | "55P03" => Fault::Lock,
        // A row of an index that is too large, and the exception of a trigger.
        "54000" | "P0001" => Fault::Row,
        _ if is_of_a_row(code) => Fault::Row,
        _ => Fault::Other,
    }
}

/// Data exceptions and integrity constraints.
fn is_of_a_row(code: &str) -> bool {
    code.starts_with("22") || code.starts_with("23")
}

/// By SQLSTATE, and the server's own number if that is the general one.
fn mysql(code: &str, text: &str) -> Fault {
    let number = text.split_once(' ').and_then(|(number, _)| number.parse().ok()).unwrap_or(0_u32);
    match (code, number) {
        // A lock that was not granted in time; a row that changed since the transaction's snapshot.
        (_, 1205 | 1020) | ("40001", _) => Fault::Lock,
        // No default, a wrong value of a column, a CHECK of MySQL; SIGNAL in a trigger.
        (_, 1364 | 1366 | 3819) | ("45000", _) => Fault::Row,
        _ if is_of_a_row(code) => Fault::Row,
        _ => Fault::Other,
    }
}

/// By the primary result code, which is the low byte.
fn sqlite(code: &str) -> Fault {
    match code.parse::<u32>().map(|code| code & 0xff) {
        // Constraint, too large, mismatch of types.
        Ok(18..=20) => Fault::Row,
        // Busy, locked.
        Ok(5 | 6) => Fault::Lock,
        _ => Fault::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_whose_fault_it_is() {
        for (code, expected) in
            [("23505", Fault::Row), ("22001", Fault::Row), ("40P01", Fault::Lock), ("42P01", Fault::Other)]
        {
            assert_eq!(postgres(code), expected, "{code}");
        }
        for (code, text, expected) in [
            ("23000", "1062 (23000): Duplicate entry", Fault::Row),
            ("HY000", "1366 (HY000): Incorrect integer value", Fault::Row),
            ("HY000", "1205 (HY000): Lock wait timeout exceeded", Fault::Lock),
            ("40001", "1213 (40001): Deadlock found", Fault::Lock),
            ("42S02", "1146 (42S02): Table doesn't exist", Fault::Other),
        ] {
            assert_eq!(mysql(code, text), expected, "{text}");
        }
        for (code, expected) in [("2067", Fault::Row), ("3091", Fault::Row), ("517", Fault::Lock), ("1", Fault::Other)]
        {
            assert_eq!(sqlite(code), expected, "{code}");
        }
    }
}
