//! `compose.yaml` and `deploy/kubernetes.yaml`, by what they must agree on. The examples' tests start the application
//! as they describe it, and those of the command line the Redis.

use redstream_core::Supervisor;
use saphyr::{LoadableYamlNode as _, Yaml};

use crate::workspace::read;

fn documents(text: &str) -> Vec<Yaml<'_>> {
    Yaml::load_from_str(text).expect("it is YAML")
}

fn text<'a>(node: &'a Yaml<'a>) -> &'a str {
    node.as_str().unwrap_or_else(|| panic!("{node:?} is no text"))
}

fn kinds<'a, 'b>(objects: &'a [Yaml<'b>], kind: &str) -> Vec<&'a Yaml<'b>> {
    let found: Vec<_> = objects.iter().filter(|object| object["kind"].as_str() == Some(kind)).collect();
    assert!(!found.is_empty(), "there is no {kind}");
    found
}

/// The grace of a supervisor by default, in seconds, from its `Debug`: `grace: 30s`.
fn grace() -> i64 {
    let supervisor = format!("{:?}", Supervisor::new());
    let grace = supervisor.split("grace: ").nth(1).and_then(|rest| rest.split('s').next());
    grace.and_then(|seconds| seconds.parse().ok()).unwrap_or_else(|| panic!("{supervisor}"))
}

#[test]
fn a_pod_may_take_longer_to_stop_than_its_workers() {
    let kubernetes = read("deploy/kubernetes.yaml");
    for deployment in kinds(&documents(&kubernetes), "Deployment") {
        let (name, pod) = (text(&deployment["metadata"]["name"]), &deployment["spec"]["template"]["spec"]);
        let pause = pod["containers"][0].as_mapping_get("lifecycle");
        let pause = pause.map_or(0, |lifecycle| text(&lifecycle["preStop"]["exec"]["command"][1]).parse().unwrap());
        let allowed = pod["terminationGracePeriodSeconds"].as_integer().unwrap();
        assert!(allowed >= pause + grace() + 5, "{name}: {allowed} s for {pause} s and {} s", grace());
    }
    let compose = read("compose.yaml");
    let services = &documents(&compose)[0]["services"];
    for name in ["web", "workers"] {
        let allowed = text(&services[name]["stop_grace_period"]).strip_suffix('s').unwrap().parse::<i64>().unwrap();
        assert!(allowed >= grace() + 5, "{name}");
    }
}

#[test]
fn services_and_disruption_budgets_select_pods_that_exist() {
    let kubernetes = read("deploy/kubernetes.yaml");
    let objects = documents(&kubernetes);
    let mut pods = Vec::new();
    for deployment in kinds(&objects, "Deployment") {
        let spec = &deployment["spec"];
        let app = text(&spec["template"]["metadata"]["labels"]["app"]);
        assert_eq!(text(&spec["selector"]["matchLabels"]["app"]), app);
        // With one alone a budget of one would not keep it up.
        assert!(spec["replicas"].as_integer() >= Some(2), "{app}");
        pods.push(app);
    }
    let budgets = kinds(&objects, "PodDisruptionBudget");
    let kept: Vec<_> = budgets.iter().map(|budget| text(&budget["spec"]["selector"]["matchLabels"]["app"])).collect();
    assert_eq!(kept, pods);
    for service in kinds(&objects, "Service") {
        assert!(pods.contains(&text(&service["spec"]["selector"]["app"])));
    }
}

#[test]
fn processes_are_started_in_the_same_roles_by_both() {
    let (kubernetes, compose) = (read("deploy/kubernetes.yaml"), read("compose.yaml"));
    let (objects, compose) = (documents(&kubernetes), documents(&compose));
    let of_pod = |object: &Yaml<'_>| text(&object["spec"]["template"]["spec"]["containers"][0]["args"][0]).to_owned();
    let mut roles: Vec<_> = kinds(&objects, "Job").into_iter().map(of_pod).collect();
    roles.extend(kinds(&objects, "Deployment").into_iter().map(of_pod));
    assert_eq!(roles, ["migrate", "web", "workers"]);
    for role in roles {
        assert_eq!(text(&compose[0]["services"][&*role]["command"][0]), role);
    }
}
