//! The same asked of kubectl and of the plugin, with the kubeconfig of a user that may be changed for it.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::support::{Output, User};

/// Reads a cluster as kubectl does with the same environment; tells whether it can.
pub(crate) fn kubectl_can(user: &User<'_>, arguments: &[&str]) -> bool {
    let mut command = Command::new(user.testbed.tools().kubectl());
    command.env_clear().envs(user.command().get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.args(["get", "serviceaccounts", "--request-timeout", "5s"]).args(arguments).output();
    output.expect("kubectl").status.success()
}

/// Asserts that the build cluster is reached; it has no deliveries to show.
pub(crate) fn reaches(user: &User<'_>, arguments: &[&str]) -> Output {
    status(user, arguments).expect_code(1).says("there are no deliveries in namespace")
}

/// Looks at the deliveries of the user's namespace.
pub(crate) fn status(user: &User<'_>, arguments: &[&str]) -> Output {
    let mut all = vec!["status", "--request-timeout", "5s"];
    all.extend(arguments);
    user.run(&all)
}

/// Reads the kubeconfig of the user.
pub(crate) fn kubeconfig(user: &User<'_>) -> Value {
    let path = user.variable("KUBECONFIG").map(PathBuf::from).expect("a kubeconfig");
    serde_yaml::from_str(&std::fs::read_to_string(path).expect("a kubeconfig")).expect("YAML")
}

/// Gives the user a kubeconfig that is changed.
pub(crate) fn change_kubeconfig(user: &mut User<'_>, change: impl Fn(&mut Value)) {
    let mut kubeconfig = kubeconfig(user);
    change(&mut kubeconfig);
    let path = user.write("changed-kubeconfig.json", &kubeconfig.to_string());
    user.set("KUBECONFIG", &path.display().to_string());
}

/// Returns an entry of a list of a kubeconfig.
pub(crate) fn entry<'a>(kubeconfig: &'a mut Value, list: &str, name: &str) -> &'a mut Value {
    let entries = kubeconfig[list].as_array_mut().expect("a list");
    entries.iter_mut().find(|entry| entry["name"] == name).expect("an entry")
}

/// Returns the address, the file with the certificate authority and the token of the user on the build cluster.
pub(crate) fn build_cluster(user: &User<'_>) -> (String, String, String) {
    let mut kubeconfig = kubeconfig(user);
    let of_user = entry(&mut kubeconfig, "contexts", "build")["context"]["user"].as_str().expect("a user").to_owned();
    let token = entry(&mut kubeconfig, "users", &of_user)["user"]["token"].as_str().expect("a token").to_owned();
    (user.server_of("build"), user.authority_of("build").display().to_string(), token)
}
