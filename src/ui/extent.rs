//! How much is shown of many run clusters. Pure.

/// Up to so many run clusters are all shown.
const FEW: usize = 5;

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Everything.
    All,
    /// Of more than a few run clusters only what needs attention.
    Attention,
}

impl Extent {
    /// Returns what a flag that asks for everything says.
    #[must_use]
    pub fn of(all: bool) -> Self {
        if all { Self::All } else { Self::Attention }
    }

    /// Tells whether so many run clusters are summed up.
    #[must_use]
    pub fn sums_up(self, run_clusters: usize) -> bool {
        self == Self::Attention && run_clusters > FEW
    }
}
