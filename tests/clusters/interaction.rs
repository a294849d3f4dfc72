//! The plugin on a terminal: questions, the plan, the confirmation.

use testbed::Testbed;

use crate::Test;
use crate::support::{PACKAGE, User};
use crate::terminal::Terminal;

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("interaction::everything_can_be_asked", everything_can_be_asked),
    ("interaction::no_changes_nothing", no_changes_nothing),
];

fn everything_can_be_asked(testbed: &Testbed) {
    let mut user = User::new(testbed, "asked");
    let (username, password) = (user.workspace.repository().username(), user.workspace.repository().password());
    user.set("GIT_USERNAME", "");
    user.set("GIT_PASSWORD", "");
    let mut terminal = Terminal::start(&user, &["bootstrap"]);
    terminal.answer("Package (its directory in the GitOps repository)", PACKAGE);
    terminal.answer("URL of the GitOps repository", user.workspace.repository().url());
    terminal.answer("Branch", "");
    terminal.answer("User name for the GitOps repository", &username);
    terminal.answer("Password or access token", &password);
    terminal.expect(&format!("+ GitRepository {}/{PACKAGE}-gitops-repo", user.workspace.build_namespace()));
    terminal.answer("Do you want to continue? (y/N)", "y");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("fetched  main@sha1:"), "{screen}");
    assert!(!screen.contains(&password), "the password is shown:\n{screen}");

    user.set("GIT_USERNAME", &username);
    user.set("GIT_PASSWORD", &password);
    let mut terminal = Terminal::start(&user, &["add-cluster", "--values", "values.yaml"]);
    terminal.answer("Short name for the run cluster", "prod1");
    terminal.answer(&format!("> {PACKAGE}"), "");
    // The contexts are offered in the kubeconfig's order, `build` first.
    terminal.expect("Context of the run cluster");
    terminal.answer("> build", "\u{1b}[B");
    terminal.answer("Namespace on the run cluster", user.workspace.target_namespace());
    terminal.answer("Do you want to continue? (y/N)", "y");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains(&format!("{PACKAGE} on prod1  ready")), "{screen}");

    let mut terminal = Terminal::start(&user, &["remove-cluster"]);
    terminal.expect("Run cluster to remove");
    terminal.answer("> prod1", "");
    // The context that is called like the run cluster comes first.
    terminal.expect("Context of the run cluster");
    terminal.answer("> prod1", "");
    terminal.expect(&format!("- PackageInstall {}/{PACKAGE}", user.workspace.target_namespace()));
    terminal.answer("Do you want to continue? (y/N)", "y");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains(&format!("{PACKAGE} on prod1  removed")), "{screen}");
}

fn no_changes_nothing(testbed: &Testbed) {
    let user = User::new(testbed, "declined");
    let before = user.state();
    let url = user.workspace.repository().url().to_owned();
    let arguments = ["bootstrap", PACKAGE, "--git-url", &url, "--branch", "main"];
    for answer in ["n", ""] {
        let mut terminal = Terminal::start(&user, &arguments);
        terminal.answer("Do you want to continue? (y/N)", answer);
        let (code, screen) = terminal.end();
        assert_eq!(code, 130, "{screen}");
        assert!(screen.contains("nothing was changed"), "{screen}");
    }
    // Ctrl-C at the question.
    let mut terminal = Terminal::start(&user, &arguments);
    terminal.expect("Do you want to continue? (y/N)");
    terminal.interrupt();
    let (code, screen) = terminal.end();
    assert_eq!(code, 130, "{screen}");
    assert_eq!(before, user.state());
}
