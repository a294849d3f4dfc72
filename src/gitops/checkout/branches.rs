//! The branches of a repository, as its server tells them without a clone.

use super::failure::Failure;
use super::git::{Git, GitAccess};
use super::temporary::Temporary;
use crate::error::{Error, Result};
use crate::gitops::url::GitUrl;

/// Lists the branches, the default one first.
pub async fn branches(url: &GitUrl, access: &GitAccess) -> Result<Vec<String>> {
    let temporary = Temporary::new().map_err(|error| Error::new("cannot make a temporary directory").because(error))?;
    let arguments = ["ls-remote", "--symref", "--quiet", "--", &url.to_string(), "HEAD", "refs/heads/*"];
    let output = Git::new(access, url).run(temporary.path(), &arguments).await?;
    if !output.success {
        return Err(Failure::of(&output).error("look at", url, "HEAD", &output));
    }
    let branches = in_order(&output.stdout);
    if branches.is_empty() {
        return Err(Error::new(format!("{url} is empty")).hint("let the supply chain push a package first"));
    }
    Ok(branches)
}

/// Reads what `git ls-remote --symref` prints.
fn in_order(printed: &str) -> Vec<String> {
    let default = printed.lines().find_map(|line| {
        let (target, name) = line.strip_prefix("ref: refs/heads/")?.split_once('\t')?;
        (name == "HEAD").then_some(target)
    });
    let mut names: Vec<String> = printed
        .lines()
        .filter_map(|line| line.split_once('\t')?.1.strip_prefix("refs/heads/").map(str::to_owned))
        .collect();
    names.sort_by_key(|name| Some(name.as_str()) != default);
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_branch_comes_first() {
        let printed =
            "ref: refs/heads/main\tHEAD\n1\tHEAD\n2\trefs/heads/alpha\n1\trefs/heads/main\n3\trefs/heads/x/y\n";
        assert_eq!(in_order(printed), ["main", "alpha", "x/y"]);
        assert_eq!(in_order("1\tHEAD\n2\trefs/heads/alpha\n"), ["alpha"], "a commit may be checked out on the server");
        assert!(in_order("").is_empty());
    }
}
