//! The plugin on a terminal: questions, the plan, the confirmation.

use testbed::Testbed;

use crate::Test;
use crate::support::{PACKAGE, User};
use crate::terminal::Terminal;

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("interaction::everything_can_be_asked", everything_can_be_asked),
    ("interaction::no_changes_nothing", no_changes_nothing),
    ("interaction::signals_end_each_kind_of_question", signals_end_each_kind_of_question),
    ("interaction::wrong_answers_are_asked_again", wrong_answers_are_asked_again),
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

fn signals_end_each_kind_of_question(testbed: &Testbed) {
    let mut user = User::new(testbed, "signals");
    let url = user.workspace.repository().url().to_owned();
    let confirmed = ["bootstrap", PACKAGE, "--git-url", &url, "--branch", "main"];
    // A text, one that is hidden, one of several, and the confirmation.
    let questions: [(&[&str], &str); 4] = [
        (&["bootstrap"], "Package (its directory in the GitOps repository) (PACKAGE)"),
        (&confirmed, "Password or access token"),
        (&["rotate"], "Run cluster to rotate (RUN_CLUSTER)"),
        (&confirmed, "Do you want to continue? (y/N)"),
    ];
    assert_eq!(user.bootstrap().code, 0);
    assert_eq!(user.add_cluster("prod1").code, 0);
    let before = user.state();
    let password = user.workspace.repository().password();
    for (arguments, question) in questions {
        user.set("GIT_PASSWORD", if question.starts_with("Password") { "" } else { &password });
        let is_confirmation = question.starts_with("Do you");
        let labelled = [arguments, if is_confirmation { &["--label", "team=none"] } else { &[][..] }].concat();
        for is_terminated in [false, true] {
            let mut terminal = Terminal::start(&user, &labelled);
            terminal.expect(question);
            if is_terminated {
                terminal.terminate();
            } else {
                terminal.interrupt();
            }
            let (code, screen) = terminal.end();
            assert_eq!(code, 130, "{screen}");
            assert!(screen.contains("interrupted; nothing was changed"), "{screen}");
        }
    }
    assert_eq!(before, user.state());
}

fn wrong_answers_are_asked_again(testbed: &Testbed) {
    let mut user = User::new(testbed, "mistyped");
    let (username, password) = (user.workspace.repository().username(), user.workspace.repository().password());
    user.set("GIT_USERNAME", "");
    user.set("GIT_PASSWORD", "");
    let mut terminal = Terminal::start(&user, &["bootstrap"]);
    terminal.answer("(PACKAGE)", "Not_A_Package");
    terminal.expect("the package name `Not_A_Package` cannot be part of a Kubernetes object's name");
    terminal.answer("(PACKAGE)", PACKAGE);
    terminal.answer("(--git-url)", user.workspace.repository().url());
    terminal.answer("(--branch)", "");
    terminal.answer("(--git-username)", &username);
    terminal.answer("(--git-password-file)", "not-the-password");
    terminal.expect("does not accept the user name and password");
    terminal.expect_times("(--git-username)", 2);
    terminal.answer("(--git-username)", &username);
    terminal.expect_times("(--git-password-file)", 2);
    terminal.answer("(--git-password-file)", &password);
    terminal.answer("Do you want to continue? (y/N)", "y");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains(&password), "the password is shown:\n{screen}");
}
