//! This program once more, on a pseudo-terminal or behind pipes, and what it leaves on the screen.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// How long a screen is given to show what is expected, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A terminal in which a scene is replayed.
pub(crate) struct Terminal {
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    shown: Arc<Mutex<Shown>>,
    reader: JoinHandle<()>,
}

struct Shown {
    parser: vt100::Parser,
    raw: Vec<u8>,
}

/// What is left when the program has ended.
pub(crate) struct Left {
    pub(crate) screen: String,
    pub(crate) raw: String,
    pub(crate) exit_code: u32,
    pub(crate) is_cursor_visible: bool,
    pub(crate) cursor_column: u16,
}

impl Terminal {
    /// Starts a replay with these arguments and variables.
    pub(crate) fn start((rows, columns): (u16, u16), arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let pair = native_pty_system().openpty(size(rows, columns)).expect("there are pseudo-terminals");
        let mut command = CommandBuilder::new(std::env::current_exe().expect("this program has a path"));
        command.args(["--replay"].iter().chain(arguments));
        command.env_clear();
        for (name, value) in [("TERM", "xterm-256color")].iter().chain(environment) {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).expect("this program can be started");
        drop(pair.slave);
        let mut output = pair.master.try_clone_reader().expect("the output can be read");
        let keyboard = pair.master.take_writer().expect("keys can be typed");
        let shown =
            Arc::new(Mutex::new(Shown { parser: vt100::Parser::new(cells(rows), cells(columns), 0), raw: Vec::new() }));
        let reader = std::thread::spawn({
            let shown = Arc::clone(&shown);
            move || {
                let mut buffer = [0; 4096];
                // Reading fails when the program has ended.
                while let Ok(length @ 1..) = output.read(&mut buffer) {
                    let mut shown = shown.lock().expect("no test panics with the lock");
                    shown.parser.process(&buffer[..length]);
                    shown.raw.extend_from_slice(&buffer[..length]);
                }
            }
        });
        Self { master: pair.master, keyboard, child, shown, reader }
    }

    /// Waits until the last row that is not empty ends so, and returns the screen.
    pub(crate) fn wait_for(&self, end: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let screen = screen(&self.shown.lock().expect("no test panics with the lock").parser);
            if screen.ends_with(end) {
                return screen;
            }
            assert!(Instant::now() < deadline, "the screen does not end with {end:?}:\n{screen}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Reads the screen with its colours.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&vt100::Screen) -> T) -> T {
        read(self.shown.lock().expect("no test panics with the lock").parser.screen())
    }

    /// Changes the size of the terminal.
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        self.shown.lock().expect("no test panics with the lock").parser.set_size(cells(rows), cells(columns));
        self.master.resize(size(rows, columns)).expect("the terminal can be resized");
    }

    /// Presses Ctrl-C.
    pub(crate) fn interrupt(&mut self) {
        self.keyboard.write_all(b"\x03").expect("keys can be typed");
    }

    /// Waits until the program has ended.
    pub(crate) fn end(mut self) -> Left {
        let status = self.child.wait().expect("the program ends");
        self.reader.join().expect("the reader ends with the program");
        let shown = self.shown.lock().expect("no test panics with the lock");
        let terminal = shown.parser.screen();
        Left {
            screen: screen(&shown.parser),
            raw: String::from_utf8_lossy(&shown.raw).into_owned(),
            exit_code: status.exit_code(),
            is_cursor_visible: !terminal.hide_cursor(),
            cursor_column: terminal.cursor_position().1,
        }
    }
}

/// Replays without a terminal, and returns exit code, standard output and standard error.
pub(crate) fn piped(arguments: &[&str]) -> (i32, String, String) {
    let program = std::env::current_exe().expect("this program has a path");
    let output = Command::new(program)
        .arg("--replay")
        .args(arguments)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .expect("this program can be started");
    let text = |bytes| String::from_utf8(bytes).expect("it writes UTF-8");
    (output.status.code().expect("it exits"), text(output.stdout), text(output.stderr))
}

/// Replays to a reader that goes away before the first line, and returns exit code and standard error.
pub(crate) fn unread(arguments: &[&str]) -> (i32, String) {
    let program = std::env::current_exe().expect("this program has a path");
    let mut child = Command::new(program)
        .arg("--replay")
        .args(arguments)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this program can be started");
    drop(child.stdout.take());
    // The replay begins when its standard input is closed.
    drop(child.stdin.take());
    let output = child.wait_with_output().expect("it ends");
    (output.status.code().expect("it exits"), String::from_utf8(output.stderr).expect("it writes UTF-8"))
}

/// Returns the rows of the screen down to the last that is not empty.
fn screen(parser: &vt100::Parser) -> String {
    let columns = parser.screen().size().1.get();
    let rows: Vec<String> = parser.screen().rows(0, columns).map(|row| row.trim_end().to_owned()).collect();
    rows.join("\n").trim_end().to_owned()
}

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).expect("a terminal has cells")
}

fn size(rows: u16, cols: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}
