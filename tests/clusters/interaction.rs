//! The plugin on a terminal: questions, the plan, the confirmation.

use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use testbed::Testbed;

use crate::Test;
use crate::support::{PACKAGE, User};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("interaction::everything_can_be_asked", everything_can_be_asked),
    ("interaction::no_changes_nothing", no_changes_nothing),
];

/// The plugin on a pseudo-terminal, and what its screen shows.
struct Terminal {
    screen: Arc<Mutex<vt100::Parser>>,
    writer: Box<dyn std::io::Write + Send>,
    child: Box<dyn portable_pty::Child + Send + Sync>,
}

impl Terminal {
    fn start(user: &User<'_>, arguments: &[&str]) -> Self {
        let (rows, cols) = (60, 160);
        let pair =
            native_pty_system().openpty(PtySize { rows, cols, ..PtySize::default() }).expect("a pseudo-terminal");
        let prepared = user.command();
        let mut command = CommandBuilder::new(prepared.get_program());
        command.args(arguments);
        command.env_clear();
        for (name, value) in prepared.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        command.env("TERM", "xterm-256color");
        command.cwd(prepared.get_current_dir().expect("a directory"));
        let child = pair.slave.spawn_command(command).expect("the plugin starts");
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let writer = pair.master.take_writer().expect("a writer");
        let [height, width] = [rows, cols].map(|length| std::num::NonZeroU16::new(length).expect("a size"));
        let screen = Arc::new(Mutex::new(vt100::Parser::new(height, width, 0)));
        let shared = Arc::clone(&screen);
        std::thread::spawn(move || {
            // The terminal must stay open as long as it is read.
            let _master = pair.master;
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                shared.lock().expect("the screen").process(&buffer[..count]);
            }
        });
        Self { screen, writer, child }
    }

    fn contents(&self) -> String {
        self.screen.lock().expect("the screen").screen().contents()
    }

    /// Waits until the screen shows a text.
    fn expect(&self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(90);
        while !self.contents().contains(text) {
            assert!(Instant::now() < deadline, "`{text}` does not appear on:\n{}", self.contents());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn answer(&mut self, question: &str, answer: &str) {
        self.expect(question);
        self.writer.write_all(format!("{answer}\r").as_bytes()).expect("it is typed");
    }

    fn end(mut self) -> (u32, String) {
        let code = self.child.wait().expect("the plugin ends").exit_code();
        std::thread::sleep(Duration::from_millis(200));
        let screen = self.screen.lock().expect("the screen");
        assert!(!screen.screen().hide_cursor(), "the cursor stays hidden");
        (code, screen.screen().contents())
    }
}

fn everything_can_be_asked(testbed: &Testbed) {
    let mut user = User::new(testbed, "asked");
    let (username, password) = (user.workspace.repository().username(), user.workspace.repository().password());
    user.set("GIT_USERNAME", "");
    user.set("GIT_PASSWORD", "");
    let mut terminal = Terminal::start(&user, &["bootstrap"]);
    terminal.answer("Package (its directory in the GitOps repository)", PACKAGE);
    terminal.answer("URL of the GitOps repository", user.workspace.repository().url());
    terminal.answer("Branch", "");
    terminal.answer("User name for the Git repository", &username);
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
}

fn no_changes_nothing(testbed: &Testbed) {
    let user = User::new(testbed, "declined");
    let before = user.everything();
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
    terminal.writer.write_all(&[3]).expect("it is typed");
    let (code, screen) = terminal.end();
    assert_eq!(code, 130, "{screen}");
    assert_eq!(before, user.everything());
}
