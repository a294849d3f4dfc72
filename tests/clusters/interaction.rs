//! The plugin on a terminal: questions, the plan, the confirmation.

use testbed::Testbed;

use crate::Test;
use crate::support::{PACKAGE, User, VERSION};
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
    user.set("EDITOR", "false");
    let mut terminal = Terminal::start_on(&user, &["bootstrap"], (24, 80));
    terminal.answer("Context of the build cluster (--context)", "");
    terminal.answer("Namespace on the build cluster (--namespace)", "");
    terminal.answer("URL of the GitOps repository (--git-url)", user.workspace.repository().url());
    terminal.expect("asks for a user name and password");
    terminal.answer("User name for the GitOps repository", &username);
    terminal.answer("Password or access token", &password);
    terminal.answer("  > main", "");
    terminal.answer(&format!("  > {PACKAGE}  {VERSION}"), "");
    terminal.expect(&format!("+ GitRepository {}/{PACKAGE}-gitops-repo", user.workspace.build_namespace()));
    terminal.answer("Do you want to continue? (y/N)", "y");
    terminal.expect("Add a run cluster now");
    let bootstrapped = terminal.contents();
    assert!(bootstrapped.contains("fetched  main@sha1:"), "{bootstrapped}");
    assert!(!bootstrapped.contains(&password), "the password is shown:\n{bootstrapped}");

    // It goes on, and asks nothing twice.
    terminal.answer("Add a run cluster now", "yes");
    terminal.answer("Context of the run cluster (--run-context)", "prod1");
    terminal.answer("RUN_CLUSTER) [prod1]", "");
    terminal.answer("(--target-namespace)", user.workspace.target_namespace());
    terminal.answer(&format!("  > >=0.0.0  now {VERSION}"), "");
    // An editor that fails changes nothing, and what is asked by the schema is checked by it.
    terminal.answer("(--values)", "edit");
    terminal.answer("! the editor `false` ended with exit status: 1", "ask");
    terminal.expect("workload_name: Workload name, string (--set)");
    terminal.type_text("\u{1b}");
    terminal.answer("> (back)\nValues of the package", "ask");
    terminal.answer("> ask\nworkload_name: Workload name, string (--set)", "hello-app");
    terminal.answer("Encrypt the values in Git (--encrypt)", "age");
    terminal.answer("How Flux authenticates on the run cluster (--auth)", "");
    terminal.answer("Do you want to continue? (y/N)", "y");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains(&format!("{PACKAGE} on prod1  ready")), "{screen}");
    assert!(!screen.contains(&password), "the password is shown:\n{screen}");
    user.set("GIT_PASSWORD", &password);
    assert_repeats_without_change(&user, &bootstrapped, "bootstrap");
    user.set("GIT_USERNAME", &username);
    assert_repeats_without_change(&user, &screen, "add-cluster");

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
        (&["bootstrap", PACKAGE, "--branch", "main"], "URL of the GitOps repository (--git-url)"),
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
    let mut terminal = Terminal::start_on(&user, &["bootstrap"], (24, 40));
    // One of several, which is searched by typing.
    terminal.answer("(--context)", "bild");
    terminal.expect("! `bild` is not one of them");
    terminal.answer("(--context)", "build");
    // A text. Esc goes back to the question before, an empty line as well where nothing else is meant by it.
    terminal.answer("(--namespace)", "Not_A_Name");
    terminal.expect("cannot be the name of a namespace");
    terminal.type_text("\u{1b}");
    terminal.answer("> (back)\nContext of the build cluster", "");
    terminal.answer("> build\nNamespace on the build cluster", "");
    terminal.answer("(--git-url)", "ftp://host/a");
    terminal.expect("! ");
    terminal.type_text("\r");
    terminal.answer("> (back)\nNamespace on the build cluster", "");
    // What can be told only by asking the server leads back to the answer.
    let url = user.workspace.repository().url().to_owned();
    terminal.answer("GitOps repository (--git-url)", "http://127.0.0.1:1/none.git");
    terminal.expect("cannot be reached from here");
    terminal.answer("URL of the GitOps repository (--git-url)", &url);
    // Hidden.
    terminal.answer("(--git-username)", &username);
    terminal.answer("(--git-password-file)", "not-the-password");
    terminal.expect("does not accept the user name");
    terminal.answer("> [hidden]\n! ", &username);
    terminal.answer(&format!("> {username}\nPassword"), "");
    terminal.answer("> (back)\nUser name", &username);
    terminal.answer("(--git-password-file)", &password);
    terminal.answer("  > main", "\u{1b}[B");
    terminal.answer(&format!("  > {PACKAGE}"), "");
    terminal.answer("Do you want to continue? (y/N)", "y");
    terminal.answer("Add a run cluster now", "no");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains(&password), "the password is shown:\n{screen}");
}

/// Runs the command that the plugin has printed at its end, which must find everything as it is.
fn assert_repeats_without_change(user: &User<'_>, screen: &str, command: &str) {
    let start = format!("kubectl carvelflux {command} ");
    let line =
        screen.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("no command on:\n{screen}"));
    // `add-cluster` waits in the end, for which it asks Flux to look at the repository.
    let state = || {
        let mut state = user.state();
        state.retain(|object, _| command == "bootstrap" || !object.contains("GitRepository"));
        state
    };
    let before = state();
    let plugin = user.command();
    let script = line.replace("kubectl carvelflux", &plugin.get_program().to_string_lossy());
    let output = user.shell(&script);
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nothing to change"), "{line}");
    assert_eq!(before, state());
}
