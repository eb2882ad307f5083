//! Files for containers and Kubernetes must not expose secrets or permissions.

use std::path::Path;

fn file(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a file of the repository")
}

#[test]
fn image_build_does_not_get_environment_files() {
    let ignored = file(".dockerignore");
    assert!([".env", ".env.*"].iter().all(|name| ignored.lines().any(|line| line == *name)), "{ignored}");
}

#[test]
fn external_images_are_pinned_by_digest() {
    let named = [file("Dockerfile"), file("docker-compose.yml")].join("\n");
    let images: Vec<_> = named
        .lines()
        .filter(|line| line.starts_with("ARG ") && line.contains("_IMAGE=") || line.trim().starts_with("image:"))
        .filter(|line| !line.contains("sentistream:latest"))
        .collect();
    assert!(images.len() >= 5, "{images:?}");
    assert!(images.iter().all(|line| line.contains("@sha256:")), "{images:?}");
}

#[test]
fn redis_password_is_not_an_argument() {
    let compose = file("docker-compose.yml");
    assert!(!compose.contains("--requirepass") && !compose.contains("--pass"), "{compose}");
    assert!(compose.contains("redis-server - <<"), "the settings of Redis are read from standard input");
}

#[test]
fn network_policies_limit_who_may_connect() {
    let policies = file("deploy/kubernetes/base/network.yaml");
    for component in ["component: api", "component: worker"] {
        assert!(policies.contains(component), "{policies}");
    }
    assert_eq!(policies.matches("policyTypes: [Ingress]").count(), 2);
    assert!(file("deploy/kubernetes/base/kustomization.yaml").contains("network.yaml"));
}
