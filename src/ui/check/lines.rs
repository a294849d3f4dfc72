//! The lines of checks: all of a few clusters, of many what needs attention. Pure.

use owo_colors::OwoColorize;

use super::{Section, finding, fleet, word};
use crate::ui::extent::Extent;
use crate::ui::text::one_line;

/// Returns the lines for people; the last one is the answer.
#[must_use]
pub fn lines(sections: &[Section], extent: Extent) -> Vec<String> {
    let run_clusters = sections.iter().filter(|section| section.run_cluster.is_some()).count();
    let mut lines = if extent.sums_up(run_clusters) {
        fleet::lines(sections)
    } else {
        let of_section = |section: &Section| {
            let findings = section.checks.findings().iter().flat_map(finding::lines);
            std::iter::once(title(section)).chain(findings).collect::<Vec<_>>()
        };
        sections.iter().flat_map(of_section).collect()
    };
    let all = || sections.iter().flat_map(|section| section.checks.findings());
    let count = |state: &str| all().filter(|finding| word(finding) == state).count();
    let warnings = count("warning");
    let noun = if warnings == 1 { "warning" } else { "warnings" };
    let unknown = match count("unknown") {
        0 => String::new(),
        unknown => format!(", {unknown} not known"),
    };
    lines.push(format!("{} passed, {warnings} {noun}, {} failed{unknown}", count("passed"), count("failed")));
    lines
}

/// Names the cluster.
fn title(section: &Section) -> String {
    let namespace = section.namespace.as_ref().map_or("all namespaces".to_owned(), |name| format!("namespace {name}"));
    format!("{}  {}", section.name().bold(), one_line(&namespace))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::check::Checks;
    use crate::error::Error;

    fn plain(sections: &[Section], extent: Extent) -> String {
        let lines = lines(sections, extent);
        let lines: Vec<String> = lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect();
        lines.join("\n")
    }

    fn build(checks: Checks) -> Section {
        Section { title: "the build cluster".to_owned(), namespace: Some("dev".to_owned()), run_cluster: None, checks }
    }

    fn passed() -> Checks {
        let mut checks = Checks::default();
        checks.pass("Flux", "");
        checks.pass("Flux's capacity", "0 unfinished");
        checks
    }

    /// Forty run clusters: Flux is refused by twelve, one is away, one has another name.
    fn fleet() -> Vec<Section> {
        let run_cluster = |number: usize| {
            let name = format!("prod{number}");
            let mut checks = passed();
            match number {
                1..=12 => checks.fail(
                    "connection",
                    Error::new("the credential is not accepted")
                        .because(format!("Secret dev/{name}-kubeconfig: Unauthorized"))
                        .hint(format!("make a new one: rotate {name}")),
                ),
                20 => checks.fail("connection", Error::new("refused\u{1b}[2J").because("x509\nunknown authority")),
                22 => checks.unknown("accounts", "RoleBindings may not be listed"),
                21 => checks.warn("names of the run cluster", Error::new("it is also called stage1")),
                _ => checks.pass("connection", "Flux"),
            }
            Section {
                title: format!("the run cluster `{name}`"),
                namespace: Some("dev".to_owned()),
                run_cluster: Some(name),
                checks,
            }
        };
        std::iter::once(build(passed())).chain((1..=40).map(run_cluster)).collect()
    }

    #[test]
    fn each_check_is_a_line_with_its_reason_below() {
        let mut checks = passed();
        checks.unknown("accounts", "RoleBindings may not be listed");
        checks.warn("names", Error::new("careful").hint("look"));
        checks.fail("connection", Error::new("refused\u{1b}[2J").because("x509\nunknown authority"));
        assert_snapshot!(plain(&[build(checks)], Extent::Attention), @r"
        The build cluster  namespace dev
          ✔ Flux
          ✔ Flux's capacity: 0 unfinished
          ? accounts: RoleBindings may not be listed
          ! names: careful
              Hint: look
          ✗ connection: refused\u{1b}[2J
              Caused by: x509
                unknown authority
        2 passed, 1 warning, 1 failed, 1 not known
        ");
    }

    #[test]
    fn of_many_what_needs_attention_comes_first_and_the_rest_is_counted() {
        assert_snapshot!(plain(&fleet(), Extent::Attention), @r"
        12 run clusters  prod1, prod2, prod3, prod4, prod5, prod6, prod7, prod8, prod9, prod10 and 2 more
          ✗ connection: the credential is not accepted
              Caused by: Secret dev/prod1-kubeconfig: Unauthorized
              Hint: make a new one: rotate prod1
              and likewise for the others
        The run cluster `prod20`
          ✗ connection: refused\u{1b}[2J
              Caused by: x509
                unknown authority
        The run cluster `prod21`
          ! names of the run cluster: it is also called stage1
        ✔ The build cluster: all 2 checks passed
        ✔ 26 run clusters: 77 of 78 checks passed, 1 not known
        107 passed, 1 warning, 13 failed, 1 not known
        ");
    }

    #[test]
    fn trouble_on_the_build_cluster_comes_before_all_else() {
        let mut sections = fleet();
        if let Some(build) = sections.first_mut() {
            build.checks.warn("Flux's workers", Error::new("all are busy"));
        }
        sections.truncate(8);
        assert_snapshot!(plain(&sections, Extent::Attention), @r"
        The build cluster
          ! Flux's workers: all are busy
        7 run clusters  prod1, prod2, prod3, prod4, prod5, prod6, prod7
          ✗ connection: the credential is not accepted
              Caused by: Secret dev/prod1-kubeconfig: Unauthorized
              Hint: make a new one: rotate prod1
              and likewise for the others
        16 passed, 1 warning, 7 failed
        ");
    }

    #[test]
    fn all_are_shown_where_that_is_asked_for_and_where_they_are_few() {
        let all = plain(&fleet(), Extent::All);
        assert_eq!(all.matches("The run cluster").count(), 40);
        assert_eq!(plain(&fleet()[..6], Extent::Attention), plain(&fleet()[..6], Extent::All));
    }
}
