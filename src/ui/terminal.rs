//! The settings of the terminal while a question is open.

use console::Term;

/// Keeps the terminal from echoing what is typed, which a question shows itself or not at all, and from keeping it back until
/// the line ends; in the end the settings and the cursor are as before.
///
/// console sets them for each key, so that a password would show between two keys, and a thread that a signal leaves behind
/// never sets them back.
pub(super) struct Quiet {
    #[cfg(unix)]
    before: Option<rustix::termios::Termios>,
}

impl Quiet {
    #[cfg(unix)]
    pub(super) fn begin(is_hidden: bool) -> Self {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(std::io::stdin()).ok();
        if let Some(mut settings) = before.clone() {
            // A terminal that can only write lines reads lines, and shows what is typed.
            settings.local_modes.remove(match (console::is_dumb(), is_hidden) {
                (false, _) => LocalModes::ECHO | LocalModes::ICANON,
                (true, true) => LocalModes::ECHO,
                (true, false) => LocalModes::empty(),
            });
            // Where it cannot be set, the question itself will say so.
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &settings);
        }
        Self { before }
    }

    #[cfg(not(unix))]
    pub(super) fn begin(_is_hidden: bool) -> Self {
        Self {}
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(before) = &self.before {
            let _ = rustix::termios::tcsetattr(std::io::stdin(), rustix::termios::OptionalActions::Now, before);
        }
        if !console::is_dumb() {
            let _ = Term::stderr().show_cursor();
        }
    }
}
