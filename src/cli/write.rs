//! The flags that say how `bootstrap` and `add-cluster` write.

use clap::Args;

use super::parse::parse_label;

/// How objects are written.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "How objects are written")]
pub struct WriteArgs {
    /// Label of the Flux objects, such as sharding.fluxcd.io/key=shard1; may be repeated (labels of earlier runs stay)
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = parse_label)]
    pub labels: Vec<(String, String)>,
    /// Take over fields that others manage, and objects that were made by hand
    #[arg(long)]
    pub force_conflicts: bool,
}
