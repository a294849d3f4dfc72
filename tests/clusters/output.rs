//! What a run of the plugin printed and returned.

/// What a run of the plugin printed and returned.
pub(crate) struct Output {
    pub(crate) arguments: String,
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// Asserts the exit code.
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self}");
        self
    }

    /// Asserts that the person is told something.
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text) || self.stdout.contains(text), "`{text}` is missing in {self}");
        self
    }

    /// Asserts that the person is not told something.
    pub(crate) fn does_not_say(self, text: &str) -> Self {
        assert!(!self.stderr.contains(text) && !self.stdout.contains(text), "`{text}` is in {self}");
        self
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "`kubectl carvelflux {}` (exit code {})\n--- stdout\n{}--- stderr\n{}",
            self.arguments, self.code, self.stdout, self.stderr
        )
    }
}
