//! Versions of servers with faults that concern streams, scripts, persistence or replication.
//!
//! Only those that an application of Redstream can meet. Each names where it is described.

use crate::overview::ServerOverview;
use crate::overview::problems::{Problems, Severity};

type Version = [u32; 3];

struct Fault {
    /// As [`ServerOverview::name`] has it.
    server: &'static str,
    /// From the first version on, and before the second.
    versions: (Version, Version),
    kind: Kind,
    /// What happens.
    effect: &'static str,
    source: &'static str,
}

/// When it happens.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Always,
    InACluster,
}

/// A version that no release has yet.
const NONE: Version = [u32::MAX, 0, 0];

const FAULTS: &[Fault] = &[
    Fault {
        server: "redis",
        versions: ([6, 2, 0], [6, 2, 7]),
        kind: Kind::Always,
        effect: "trimming a stream can remove newer messages too, if 25 days lie between messages that are stored together",
        source: "https://github.com/redis/redis/pull/10068",
    },
    Fault {
        server: "redis",
        versions: ([6, 2, 0], [6, 2, 7]),
        kind: Kind::Always,
        effect: "scripts write although fewer replicas are connected than min-replicas-to-write demands",
        source: "https://github.com/redis/redis/pull/10160",
    },
    Fault {
        server: "valkey",
        versions: ([9, 0, 0], [9, 0, 2]),
        kind: Kind::InACluster,
        effect: "a restart from the append-only file can put what scripts wrote under wrong slots, and the next one fails",
        source: "https://github.com/valkey-io/valkey/pull/3004",
    },
];

/// Of a server that reads a file whose end is missing. Met on Redis 6.2.14, 7.0.15 and 8.2.3, by cutting three bytes
/// off; not on Valkey 9.1.2.
const TRUNCATED: &[(&str, Version, Version)] = &[
    ("redis", [0, 0, 0], NONE),
    ("valkey", [0, 0, 0], [8, 0, 11]),
    ("valkey", [8, 1, 0], [8, 1, 10]),
    ("valkey", [9, 0, 0], [9, 0, 6]),
    ("valkey", [9, 1, 0], [9, 1, 2]),
];

/// Of a server whose user `default` is restricted. Met on Redis 7.0.15; not on Valkey 9.1.2.
const DEFAULT_USER: &[(&str, Version, Version)] = &[("redis", [0, 0, 0], [8, 4, 4]), ("valkey", [0, 0, 0], [9, 1, 2])];

pub(super) fn of_version(server: &ServerOverview, problems: &mut Problems<'_>) {
    let (Some(name), Some(text)) = (server.name.as_deref(), server.version.as_deref()) else { return };
    let Some(version) = parse(text) else { return };
    let is_one_of = |ranges: &[(&str, Version, Version)]| {
        ranges.iter().any(|(server, from, before)| *server == name && (*from..*before).contains(&version))
    };
    for fault in FAULTS {
        let happens = fault.kind == Kind::Always || server.is_cluster == Some(true);
        if fault.server == name && happens && (fault.versions.0..fault.versions.1).contains(&version) {
            let [major, minor, patch] = fault.versions.1;
            problems.add(
                Severity::Error,
                "faulty_version",
                format!("{name} {text}: {} ({})", fault.effect, fault.source),
                format!("upgrade to {major}.{minor}.{patch} or later"),
            );
        }
    }
    if server.append_only_file != Some(true) {
        return;
    }
    if server.default_user_may_all == Some(false) && is_one_of(DEFAULT_USER) {
        problems.add(
            Severity::Error,
            "default_user",
            format!(
                "{name} {text} runs what scripts wrote in the name of the user `default` when it reads its append-only file, and that \
                 user may not: each restart loses it (https://github.com/redis/redis/issues/14541)"
            ),
            "give that user all rights, and let it be disabled: `ACL SETUSER default off allcommands allkeys allchannels`, and the \
             same in the configuration",
        );
    }
    if server.loads_truncated_file == Some(true) && is_one_of(TRUNCATED) {
        problems.add(
            Severity::Note,
            "truncated_file",
            format!(
                "{name} {text} starts with an append-only file that a crash of the machine cut within what a script wrote, and \
                 the next restart loses what was written since (https://github.com/valkey-io/valkey/pull/4342)"
            ),
            "set aof-load-truncated no, and mend a cut file by redis-check-aof --fix; or run BGREWRITEAOF after a crash of the machine",
        );
    }
}

/// The first three numbers: `8.10.0`, `7.0.15`, `6.2.912183`.
fn parse(version: &str) -> Option<Version> {
    let mut numbers = version.split(|char: char| !char.is_ascii_digit()).map_while(|number| number.parse().ok());
    Some([numbers.next()?, numbers.next()?, numbers.next().unwrap_or(0)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overview::problems::tests::server;

    fn found(change: impl FnOnce(&mut ServerOverview)) -> Vec<&'static str> {
        let mut server = server();
        change(&mut server);
        let mut problems = Problems { place: "redis:6379", found: Vec::new() };
        of_version(&server, &mut problems);
        problems.found.iter().map(|problem| problem.kind).collect()
    }

    fn of(name: &str, version: &str) -> Vec<&'static str> {
        found(|server| (server.name, server.version) = (Some(name.to_owned()), Some(version.to_owned())))
    }

    #[test]
    fn a_version_is_faulty_from_the_first_to_before_the_one_that_mends_it() {
        assert_eq!(of("redis", "6.2.6"), ["faulty_version"; 2]);
        for (name, version) in
            [("redis", "6.2.7"), ("redis", "7.0.15"), ("redis", "8.10.0"), ("valkey", "6.2.6"), ("redis", "unknown")]
        {
            assert_eq!(of(name, version), [""; 0], "{name} {version}");
        }
    }

    #[test]
    fn a_fault_of_clusters_is_none_of_a_single_server() {
        let of = |version: &str, is_cluster| {
            found(|server| {
                (server.name, server.version) = (Some("valkey".to_owned()), Some(version.to_owned()));
                server.is_cluster = Some(is_cluster);
            })
        };
        assert_eq!((of("9.0.1", false), of("9.0.2", true)), (vec![], vec![]));
        assert_eq!(of("9.0.1", true), ["faulty_version"]);
    }

    #[test]
    fn faults_of_settings_need_the_setting_and_an_append_only_file() {
        let of = |name: &str, version: &str, may_all, loads_truncated| {
            found(|server| {
                (server.name, server.version) = (Some(name.to_owned()), Some(version.to_owned()));
                server.default_user_may_all = may_all;
                server.loads_truncated_file = loads_truncated;
            })
        };
        assert_eq!(of("redis", "7.0.15", Some(false), Some(true)), ["default_user", "truncated_file"]);
        assert_eq!(of("redis", "8.4.4", Some(false), Some(false)), [""; 0]);
        assert_eq!(of("redis", "7.0.15", Some(true), None), [""; 0]);
        assert_eq!(of("valkey", "8.1.9", Some(true), Some(true)), ["truncated_file"]);
        assert_eq!(of("valkey", "9.1.2", Some(false), Some(true)), [""; 0]);
        let without_a_file = found(|server| {
            (server.name, server.version) = (Some("redis".to_owned()), Some("7.0.15".to_owned()));
            (server.append_only_file, server.default_user_may_all) = (Some(false), Some(false));
        });
        assert_eq!(without_a_file, [""; 0]);
    }
}
