//! How the plugin changes files that people have written: what it does not have to change stays as it is.

use testbed::Testbed;

use crate::Test;
use crate::support::{User, VALUES_FILE};

pub(crate) const TESTS: &[(&str, Test)] = &[("files::single_values_leave_the_rest_as_it_is_written", single_values)];

/// Values as a person writes them.
const VALUES: &str = "# Who it is.
workload_name: 'hello-app' # as in the guide

replicas: 2 # two will do
hostname: \"5\"
";

fn single_values(testbed: &Testbed) {
    let user = User::new(testbed, "as-written");
    user.bootstrap().expect_code(0);
    user.write("values.yaml", VALUES);
    user.add_cluster("prod1").expect_code(0).says("ready");
    let before = user.workspace.repository().read(VALUES_FILE).expect("Git").expect("the values");

    let complete = user.add_cluster_arguments("prod1", "prod1");
    let at = complete.iter().position(|argument| *argument == "--values").expect("the flag is given");
    let set = [&complete[..at], &complete[at + 2..], &["--set", "replicas=1"]].concat();
    user.run(&set).expect_code(0).says("ready");
    user.assert_replicas(1);
    let after = user.workspace.repository().read(VALUES_FILE).expect("Git").expect("the values");
    let without_name = |text: &str| {
        text.lines()
            .filter(|line| !line.contains("name: hello-app.default.tap-values"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(without_name(&before.replace("replicas: 2", "replicas: 1")), without_name(&after));
    user.run(&set).expect_code(0).says("nothing to change");
}
