//! The plugin on a pseudo-terminal, as a person sees it.

use std::io::{Read as _, Write as _};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::support::User;

/// The plugin on a pseudo-terminal, and what its screen shows.
pub(crate) struct Terminal {
    screen: Arc<Mutex<vt100::Parser>>,
    writer: Box<dyn std::io::Write + Send>,
    child: Box<dyn portable_pty::Child + Send + Sync>,
    master: Arc<Mutex<Box<dyn MasterPty + Send>>>,
    /// All that was written to it.
    raw: Arc<Mutex<Vec<u8>>>,
    /// Ends when nobody has the terminal open any more, and all that was written to it is on the screen.
    reader: std::thread::JoinHandle<()>,
}

impl Terminal {
    /// Starts the plugin on a screen with room for everything.
    pub(crate) fn start(user: &User<'_>, arguments: &[&str]) -> Self {
        Self::start_on(user, arguments, (60, 160))
    }

    /// Starts the plugin on a screen of so many rows and columns.
    pub(crate) fn start_on(user: &User<'_>, arguments: &[&str], size: (u16, u16)) -> Self {
        let mut prepared = user.command();
        prepared.args(arguments);
        Self::run_on(&prepared, size)
    }

    /// Starts any program, in the environment that it is prepared with.
    pub(crate) fn run(prepared: &Command) -> Self {
        Self::run_on(prepared, (60, 160))
    }

    fn run_on(prepared: &Command, (rows, cols): (u16, u16)) -> Self {
        let pair =
            native_pty_system().openpty(PtySize { rows, cols, ..PtySize::default() }).expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(prepared.get_program());
        command.args(prepared.get_args());
        command.env_clear();
        for (name, value) in prepared.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        if command.get_env("TERM").is_none() {
            command.env("TERM", "xterm-256color");
        }
        command.cwd(prepared.get_current_dir().expect("a directory"));
        let child = pair.slave.spawn_command(command).expect("the program starts");
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let writer = pair.master.take_writer().expect("a writer");
        let [height, width] = [rows, cols].map(|length| std::num::NonZeroU16::new(length).expect("a size"));
        let screen = Arc::new(Mutex::new(vt100::Parser::new(height, width, 0)));
        let (shared, raw) = (Arc::clone(&screen), Arc::new(Mutex::new(Vec::new())));
        let master = Arc::new(Mutex::new(pair.master));
        let (kept, written) = (Arc::clone(&master), Arc::clone(&raw));
        let reader = std::thread::spawn(move || {
            // The terminal must stay open as long as it is read.
            let _master = kept;
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                written.lock().expect("all of it").extend_from_slice(&buffer[..count]);
                shared.lock().expect("the screen").process(&buffer[..count]);
            }
        });
        Self { screen, writer, child, master, raw, reader }
    }

    /// Changes the size of the screen, as a person does who drags the window.
    pub(crate) fn resize(&self, (rows, cols): (u16, u16)) {
        let size = PtySize { rows, cols, ..PtySize::default() };
        self.master.lock().expect("the terminal").resize(size).expect("another size");
        let [height, width] = [rows, cols].map(|length| std::num::NonZeroU16::new(length).expect("a size"));
        self.screen.lock().expect("the screen").set_size(height, width);
    }

    /// Returns all that was written to it so far, with what controls it.
    pub(crate) fn raw(&self) -> String {
        String::from_utf8_lossy(&self.raw.lock().expect("all of it")).into_owned()
    }

    /// Waits for the end, and returns all that was written to it.
    pub(crate) fn raw_at_end(self) -> String {
        let raw = Arc::clone(&self.raw);
        self.end();
        String::from_utf8_lossy(&raw.lock().expect("all of it")).into_owned()
    }

    /// Returns what the screen shows.
    pub(crate) fn contents(&self) -> String {
        self.screen.lock().expect("the screen").screen().contents()
    }

    /// Waits until the screen shows a text.
    pub(crate) fn expect(&self, text: &str) {
        self.expect_times(text, 1);
    }

    /// Waits until the screen shows a text so often, as a question that is asked again.
    pub(crate) fn expect_times(&self, text: &str, times: usize) {
        let deadline = Instant::now() + Duration::from_secs(90);
        while self.contents().matches(text).count() < times {
            assert!(Instant::now() < deadline, "`{text}` does not appear on:\n{}", self.contents());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Answers a question once it is on the screen.
    pub(crate) fn answer(&mut self, question: &str, answer: &str) {
        self.expect(question);
        self.type_text(&format!("{answer}\r"));
    }

    /// Types a text.
    pub(crate) fn type_text(&mut self, text: &str) {
        self.writer.write_all(text.as_bytes()).expect("it is typed");
    }

    /// Presses Ctrl-C.
    pub(crate) fn interrupt(&mut self) {
        self.type_text("\u{3}");
    }

    /// Asks the plugin to end, as a pipeline or a shutdown does.
    pub(crate) fn terminate(&self) {
        let process = self.child.process_id().expect("it runs").to_string();
        let status = std::process::Command::new("kill").args(["-TERM", &process]).status().expect("kill");
        assert!(status.success(), "process {process} is gone");
    }

    /// Waits for the end, and returns the exit code and what the screen shows then.
    pub(crate) fn end(mut self) -> (u32, String) {
        let code = self.child.wait().expect("the plugin ends").exit_code();
        self.reader.join().expect("what was written is on the screen");
        let screen = self.screen.lock().expect("the screen");
        assert!(!screen.screen().hide_cursor(), "the cursor stays hidden");
        (code, screen.screen().contents())
    }
}
