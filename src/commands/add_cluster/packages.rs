//! The packages of `--package`, which may be given many times, and the flags that are about a single one. Pure.

use crate::cli::AddClusterArgs;
use crate::error::{Error, Result};
use crate::names;

/// Returns the directories of the packages; refuses two that have one name, which all objects of a delivery are named after.
pub(super) fn paths(packages: &[String]) -> Result<Vec<String>> {
    let mut paths: Vec<String> = Vec::new();
    for package in packages {
        let path = names::normalised_path(package);
        let name = names::of_package(path);
        names::check_package(name)?;
        if let Some(other) = paths.iter().find(|other| names::of_package(other) == name) {
            let error = Error::usage(format!("the package {name} is named twice"));
            let error = if other == path { error } else { error.because(format!("it is {other} and {path}")) };
            return Err(error.hint("name each package once"));
        }
        paths.push(path.to_owned());
    }
    Ok(paths)
}

/// Refuses flags that are about one package where several are named.
pub(super) fn check(arguments: &AddClusterArgs) -> Result<()> {
    if arguments.packages.len() < 2 {
        return Ok(());
    }
    let values = &arguments.values;
    let given = [
        ("--version-constraints", arguments.version_constraints.is_some()),
        ("--values", !values.values.is_empty()),
        ("--set", !values.set.is_empty()),
        ("--set-string", !values.set_string.is_empty()),
        ("--set-file", !values.set_file.is_empty()),
        ("--values-secret-name", values.values_secret_name.is_some()),
    ];
    let given: Vec<&str> = given.into_iter().filter(|(_, is_given)| *is_given).map(|(flag, _)| flag).collect();
    if given.is_empty() {
        return Ok(());
    }
    let packages = arguments.packages.len();
    Err(Error::usage(format!("{} would be about {packages} packages", given.join(", ")))
        .because("what one package takes means nothing to another")
        .hint("deliver this package with a command of its own, or all with a list: --from-file FILE"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::errors::assert_printed;

    #[test]
    fn one_name_is_one_package() {
        let named = |packages: &[&str]| paths(&packages.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        assert_eq!(named(&["apps/hello/", "bye"]).ok(), Some(vec!["apps/hello".to_owned(), "bye".to_owned()]));
        assert_printed("package_named_twice", &named(&["apps/hello", "other/hello"]).expect_err("one name"));
    }

    #[test]
    fn what_is_about_one_package_is_refused_for_several() {
        let mut arguments = AddClusterArgs::of_package("hello").expect("arguments");
        arguments.values.set.push("replicas=2".to_owned());
        arguments.version_constraints = Some("1.x".to_owned());
        assert!(check(&arguments).is_ok());
        arguments.packages.push("bye".to_owned());
        assert_printed("flags_of_one_package", &check(&arguments).expect_err("several packages"));
    }
}
