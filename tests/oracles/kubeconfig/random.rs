//! Generates parts of kubeconfigs, the same ones in each run.

/// Knuth's linear congruential generator.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // The low bits of such a generator have short periods.
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    pub(crate) fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    /// Puts the fields of one or two entries together.
    pub(crate) fn fields(&mut self, choices: &[&str]) -> String {
        let first = self.pick(choices);
        let second = if self.one_in(2) { self.pick(choices) } else { "" };
        let is_empty = first.is_empty() || second.is_empty();
        format!("{first}{}{second}", if is_empty { "" } else { ", " })
    }

    /// Makes a URL, or nearly.
    pub(crate) fn url(&mut self) -> String {
        let mut url = self
            .pick(&["https://", "https://", "https://", "http://", "socks5://", "HTTPS://", "h:", "//", "", "1:"])
            .to_owned();
        if self.one_in(6) {
            url.push_str(self.pick(&[
                "fake-user@",
                "fake-user:fake%2Fpassword@",
                ":@",
                "a b@",
                "a%zz@",
                "a@b@",
                "a/b@",
            ]));
        }
        url.push_str(self.pick(&[
            "host",
            "host.example",
            "10.0.0.1",
            "[::1]",
            "[fe80::1%25eth0]",
            "ä.example",
            "h%C3%A4",
            "h%41",
            "h<>\"",
            "",
        ]));
        if self.one_in(3) {
            url.push_str(self.pick(&[":6443", ":", ":a", ":1:2", ":80:", "::1"]));
        }
        for _ in 0..self.below(4) {
            url.push_str(
                self.pick(&["/", "/k8s", "/a b", "/%2f", "/%7E", "/%zz", "/[a]", "/ä", "/*", "/'", "/a:b", "//", "/^"]),
            );
        }
        if self.one_in(4) {
            url.push_str(self.pick(&["?", "?a=b", "?a?b", "#", "#part", "?a#b c", "#%zz", "#!'", "?%zz"]));
        }
        if self.one_in(6) {
            let position =
                (0..=url.len()).filter(|index| url.is_char_boundary(*index)).nth(self.below(url.chars().count() + 1));
            url.insert_str(
                position.unwrap_or_default(),
                self.pick(&["%", " ", "\u{1}", "[", "]", "@", ":", "/", "?", "#", "\\", "*"]),
            );
        }
        url
    }

    /// Makes a plain scalar that may be a number, a boolean or null.
    pub(crate) fn scalar(&mut self) -> String {
        if self.one_in(4) {
            return self
                .pick(&[
                    "y", "Y", "yes", "yEs", "No", "NO", "on", "OFF", "True", "tRUE", "~", "Null", "nULL", "<<", "=",
                    ".5", "-.5", "+.5e3", "._5", ".e5",
                ])
                .to_owned();
        }
        let mut scalar = self.pick(&["", "", "+", "-", "0", "0x", "0o", "0b", "-0b", "+0x", "."]).to_owned();
        for _ in 0..=self.below(5) {
            scalar.push_str(self.pick(&[
                "0",
                "1",
                "7",
                "8",
                "12",
                "_",
                ".",
                "e",
                "E",
                "f",
                "x",
                "+",
                "-",
                "9223372036854775807",
                "99",
                "b",
                "1e400",
            ]));
        }
        // What begins with a dash and a space is a list.
        if scalar == "-" { "-1".to_owned() } else { scalar }
    }
}
