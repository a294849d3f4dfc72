//! The examples that `--help` shows of each command; tests read them as the command line does, and run them on clusters.

/// An example: what it is good for, and its arguments, over several lines where it is long.
pub(super) type Example = (&'static str, &'static str);

/// Returns the examples of a command.
pub(super) fn of(command: &str) -> &'static [Example] {
    match command {
        "bootstrap" => &[(
            "A private repository; its password is in $GIT_PASSWORD, or in a file",
            "bootstrap hello-app.default.tap -n dev --branch main \\\n    --git-url https://git.example.com/platform/gitops.git --git-username me",
        )],
        "add-cluster" => &[
            (
                "Show first what would be done, then do it",
                "add-cluster prod1 -n dev --run-context prod1 \\\n    --package hello-app.default.tap --target-namespace apps \\\n    --values values.yaml --dry-run",
            ),
            (
                "Deliver, and wait until it is installed",
                "add-cluster prod1 -n dev --run-context prod1 \\\n    --package hello-app.default.tap --target-namespace apps \\\n    --values values.yaml",
            ),
            (
                "Later: change one value of what Git holds",
                "add-cluster prod1 -n dev --run-context prod1 \\\n    --package hello-app.default.tap --target-namespace apps \\\n    --set replicas=3",
            ),
        ],
        "check" => &[
            ("The build cluster, and all run clusters of a namespace", "check -n dev"),
            ("One run cluster, for a program", "check prod1 -n dev -o json"),
        ],
        "wait" => &[
            ("Until all deliveries of a namespace are installed", "wait -n dev"),
            (
                "For the commit that was just pushed, and one package",
                "wait -n dev --package hello-app.default.tap \\\n    --revision \"$(git rev-parse HEAD)\"",
            ),
        ],
        "status" => &[
            ("All deliveries of all namespaces", "status -A"),
            ("A table of one run cluster", "status -n dev --run-cluster prod1 -o wide"),
            ("Again with every change", "status -n dev --watch"),
        ],
        "values" => &[
            (
                "Which packages there are, in any repository",
                "values --branch main \\\n    --git-url https://git.example.com/platform/gitops.git",
            ),
            ("The same, in the one that Flux knows", "values -n dev"),
            ("A file to fill in for a new delivery", "values hello-app.default.tap -n dev -o yaml > values.yaml"),
            (
                "What Git holds for a delivery, secrets included",
                "values hello-app.default.tap -n dev --run-cluster prod1",
            ),
        ],
        "rotate" => &[
            ("New tokens for two run clusters", "rotate prod1 prod2 -n dev"),
            ("For all, from now on with an end", "rotate --all -n dev --token-duration 24h"),
        ],
        "remove-cluster" => &[
            (
                "One package; show first what would go",
                "remove-cluster prod1 -n dev --run-context prod1 \\\n    --package hello-app.default.tap --dry-run",
            ),
            ("All that was delivered to it", "remove-cluster prod1 -n dev --run-context prod1"),
        ],
        "completion" => &[
            ("Once, for TAB after kubectl", "completion install"),
            ("For the program by itself, a file that bash sources", "completion bash > kubectl-carvelflux.bash"),
        ],
        "version" => &[("What the plugin and the clusters are", "version --clusters -o yaml")],
        _ => &[],
    }
}

/// Writes the examples of a command below its help, as the program is called.
pub(super) fn help(command: &str, program: &str) -> Option<String> {
    let examples = of(command);
    let lines = examples
        .iter()
        .map(|(purpose, arguments)| format!("\n  # {purpose}\n  {program} {}", arguments.replace('\n', "\n  ")));
    let text: String = lines.collect::<Vec<_>>().join("\n");
    (!examples.is_empty()).then(|| format!("Examples:{text}"))
}
