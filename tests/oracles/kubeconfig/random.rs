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
}
