//! Commits in a checkout of the user's own.

use std::fs;
use std::path::PathBuf;

use super::{Checkout, GitAccess, Publication, PushOutcome, Server, remove, write};
use crate::error::{Error, Result};
use crate::gitops::url::GitUrl;

/// A server, and a checkout that somebody works in.
struct Desk {
    server: Server,
}

impl Desk {
    /// Clones the server, stages one file, changes another, and leaves a third one lying around.
    fn new() -> Self {
        let server = Server::new();
        server.push("mine/staged.yaml", "a: 1\n");
        server.push("mine/changed.yaml", "a: 1\n");
        server.git(".", &["clone", "--quiet", server.url().to_string().as_str(), "desk"]);
        let desk = Self { server };
        desk.write("mine/staged.yaml", "a: 2\n");
        desk.git(&["add", "mine/staged.yaml"]);
        desk.write("mine/changed.yaml", "a: 3\n");
        desk.write("mine/new.yaml", "a: 4\n");
        desk
    }

    fn directory(&self) -> PathBuf {
        self.server.directory.path().join("desk")
    }

    fn git(&self, arguments: &[&str]) -> String {
        self.server.git("desk", arguments)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.directory().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// What the user has begun, in the index and in the files.
    fn begun(&self) -> String {
        format!("{}\n{}", self.git(&["status", "--porcelain"]), self.git(&["diff", "--cached"]))
    }

    async fn open(&self, publication: Publication) -> Result<Checkout> {
        self.open_as(&self.server.url(), "main", publication).await
    }

    async fn open_as(&self, url: &GitUrl, branch: &str, publication: Publication) -> Result<Checkout> {
        Checkout::open(&self.directory(), url, branch, &self.server.access(), &publication).await
    }

    async fn refused(&self, branch: &str) -> Error {
        self.open_as(&self.server.url(), branch, Publication::Pushed).await.unwrap_err()
    }

    fn hook(&self, name: &str, script: &str) {
        let hook = self.directory().join(".git/hooks").join(name);
        fs::create_dir_all(hook.parent().unwrap()).unwrap();
        fs::write(&hook, format!("#!/bin/sh\n{script}\n")).unwrap();
        #[cfg(unix)]
        fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
}

#[tokio::test]
async fn what_the_user_has_begun_stays_as_it_is() {
    let desk = Desk::new();
    desk.write("b.yaml", "b: dirty\n");
    let begun = desk.begun();
    desk.git(&["config", "user.name", "Somebody"]);
    desk.git(&["config", "user.email", "somebody@example.com"]);
    desk.hook("commit-msg", "echo OPS-7 >> \"$1\"");
    let access = GitAccess { environment: desk.server.isolated(), ..GitAccess::default() };
    let opened = Checkout::open(&desk.directory(), &desk.server.url(), "main", &access, &Publication::Pushed).await;
    let checkout = opened.unwrap();
    // What is read is what was committed.
    assert_eq!(fs::read_to_string(checkout.root().join("b.yaml")).unwrap(), "b: 1\n");
    assert!(!checkout.root().join("mine/new.yaml").exists());
    checkout.check_identity().await.unwrap();
    checkout.check_can_push().await.unwrap();
    let changes = [write("app/[*].yaml", "x: 1\n"), write("mine/own.yaml", "y: 1\n")];
    checkout.check_untouched(&changes).await.unwrap();
    let outcome = checkout.commit_and_push(&changes, "Deliver").await.unwrap();
    assert_eq!(outcome, PushOutcome::Pushed { sha: desk.server.head(), links: vec![] });
    assert_eq!(begun, desk.begun());
    assert_eq!(desk.git(&["log", "-1", "--format=%s|%b|%cn"]), "Deliver OPS-7||Somebody");
    assert_eq!(desk.git(&["show", "--format=", "--name-only"]), "app/[*].yaml\nmine/own.yaml");

    let checkout = desk.open(Publication::Pushed).await.unwrap();
    assert_eq!(checkout.commit_and_push(&changes, "again").await.unwrap().sha(), outcome.sha());
    let changes = [remove("app/[*].yaml"), remove("a.yaml"), remove("never.yaml")];
    checkout.commit_and_push(&changes, "Remove").await.unwrap();
    assert_eq!(begun, desk.begun());
    assert_eq!(desk.git(&["show", "--format=", "--name-status"]), "D\ta.yaml\nD\tapp/[*].yaml");
}

#[tokio::test]
async fn changes_to_the_same_files_are_refused_by_name() {
    let desk = Desk::new();
    let checkout = desk.open(Publication::Pushed).await.unwrap();
    fs::write(desk.directory().join(".gitignore"), "ignored.yaml\n").unwrap();
    desk.write("ignored.yaml", "i: 1\n");
    let wanted = [
        write("mine/staged.yaml", "a: 9\n"),
        write("mine/new.yaml", "a: 9\n"),
        write("ignored.yaml", "i: 2\n"),
        remove("mine/changed.yaml"),
        write("b.yaml", "b: 2\n"),
    ];
    let begun = desk.begun();
    for error in [
        checkout.check_untouched(&wanted).await.unwrap_err(),
        checkout.commit_and_push(&wanted, "Deliver").await.unwrap_err(),
    ] {
        let cause = "the same files would be changed: mine/changed.yaml, mine/staged.yaml, mine/new.yaml, ignored.yaml";
        assert_eq!(error.causes(), [cause]);
        assert!(error.hints()[0].contains("stash push --include-untracked -- mine/changed.yaml"), "{error:?}");
    }
    assert_eq!(begun, desk.begun());
    // What an interrupted run has left is what is wanted.
    desk.write("mine/half.yaml", "h: 1\n");
    desk.write("b.yaml", "b: 2\n");
    desk.git(&["add", "b.yaml"]);
    checkout.commit_and_push(&[write("mine/half.yaml", "h: 1\n"), wanted[4].clone()], "Deliver").await.unwrap();
    assert_eq!(desk.git(&["show", "--format=", "--name-only"]), "b.yaml\nmine/half.yaml");
}

#[cfg(unix)]
#[tokio::test]
async fn a_hook_that_refuses_leaves_everything_as_it_was() {
    let desk = Desk::new();
    let (begun, head) = (desk.begun(), desk.server.head());
    desk.hook("pre-commit", "echo not today >&2; exit 1");
    let checkout = desk.open(Publication::Pushed).await.unwrap();
    let changes = [write("app/prod1/params.yaml", "x: 1\n"), write("b.yaml", "b: 2\n"), remove("a.yaml")];
    let error = checkout.commit_and_push(&changes, "Deliver").await.unwrap_err();
    assert_eq!(error.message(), "git refuses the commit; nothing was pushed");
    assert_eq!(error.causes(), ["not today"]);
    assert_eq!((begun, head), (desk.begun(), desk.server.head()));
    assert!(!desk.directory().join("app").exists() && desk.directory().join("mine/new.yaml").exists());
}

#[tokio::test]
async fn what_is_not_to_be_pushed_is_not() {
    let desk = Desk::new();
    let head = desk.server.head();
    // Somebody else's push is nothing to this.
    desk.server.push("theirs.yaml", "t: 1\n");
    let checkout = desk.open(Publication::Local).await.unwrap();
    let outcome = checkout.commit_and_push(&[write("x.yaml", "x: 1\n")], "Deliver").await.unwrap();
    assert_eq!(outcome, PushOutcome::Committed { sha: desk.git(&["rev-parse", "HEAD"]) });
    assert_eq!(desk.git(&["rev-parse", "HEAD~1"]), head);
    let push = checkout.push_command().unwrap();
    assert!(push.starts_with("git -C ") && push.ends_with("desk push origin main"), "{push}");
}

#[tokio::test]
async fn only_the_newest_commit_of_the_branch_is_built_on() {
    let desk = Desk::new();
    desk.server.push("theirs.yaml", "t: 1\n");
    let error = desk.refused("main").await;
    assert!(error.message().contains("does not have the newest commit"), "{error:?}");
    assert!(error.hints()[0].ends_with("pull --rebase origin main"), "{error:?}");
    desk.git(&["stash", "--quiet"]);
    desk.git(&["pull", "--quiet", "origin", "main"]);
    desk.git(&["commit", "--quiet", "--allow-empty", "--message=mine"]);
    let error = desk.refused("main").await;
    assert!(error.message().contains("has commits on main"), "{error:?}");
    assert!(error.hints()[0].ends_with("push origin main"), "{error:?}");
    let error = desk.refused("stable").await;
    assert!(error.message().ends_with("is on the branch main, and not on stable"), "{error:?}");
    assert!(error.hints()[0].ends_with("switch stable"), "{error:?}");
    desk.git(&["switch", "--quiet", "--create", "stable"]);
    let error = desk.refused("stable").await;
    assert!(error.message().ends_with("has no branch stable"), "{error:?}");
    desk.git(&["switch", "--quiet", "--detach"]);
    assert!(desk.refused("main").await.message().ends_with("is on no branch, and not on main"));
}

#[tokio::test]
async fn a_checkout_of_another_repository_is_refused() {
    let desk = Desk::new();
    let other = GitUrl::parse("https://git.example.com/team/apps.git");
    let error = desk.open_as(&other, "main", Publication::Pushed).await.unwrap_err();
    assert!(error.message().ends_with("is no checkout of https://git.example.com/team/apps.git"), "{error:?}");
    assert_eq!(error.causes(), [format!("it has origin {}", desk.server.url())]);
    // The user may have another name for it; but where a push would go elsewhere, it is another.
    let key = format!("url.{}.insteadOf", desk.server.url());
    desk.git(&["config", &key, "company:apps"]);
    desk.git(&["remote", "set-url", "origin", "company:apps"]);
    desk.open(Publication::Pushed).await.unwrap();
    desk.git(&["remote", "set-url", "--push", "origin", "https://git.example.com/fork/apps"]);
    assert!(desk.refused("main").await.message().contains("is no checkout of"));
    let nowhere = desk.server.directory.path().join("nowhere");
    let opened = Checkout::open(&nowhere, &other, "main", &desk.server.access(), &Publication::Local).await;
    assert!(opened.unwrap_err().message().contains("is no checkout of"));
}

#[tokio::test]
async fn a_sparse_checkout_takes_what_it_leaves_out() {
    let desk = Desk::new();
    desk.git(&["stash", "--quiet", "--include-untracked"]);
    desk.git(&["sparse-checkout", "set", "nothing"]);
    assert!(!desk.directory().join("mine/staged.yaml").exists());
    let checkout = desk.open(Publication::Pushed).await.unwrap();
    assert!(checkout.root().join("mine/staged.yaml").exists());
    let changes = [write("mine/staged.yaml", "a: 9\n"), write("app/x.yaml", "x: 1\n"), remove("mine/changed.yaml")];
    checkout.commit_and_push(&changes, "Deliver").await.unwrap();
    let expected = "A\tapp/x.yaml\nD\tmine/changed.yaml\nM\tmine/staged.yaml";
    assert_eq!(desk.git(&["show", "--format=", "--name-status"]), expected);
    assert_eq!(desk.git(&["status", "--porcelain"]), "");
}

#[cfg(unix)]
#[tokio::test]
async fn a_branch_for_a_pull_request_is_the_one_to_be_on() {
    let desk = Desk::new();
    let side = || desk.open(Publication::Branch("side".to_owned()));
    let error = side().await.unwrap_err();
    assert!(error.hints()[0].ends_with("switch --create side"), "{error:?}");
    desk.git(&["switch", "--quiet", "--create", "side"]);
    let head = desk.server.head();
    let checkout = side().await.unwrap();
    assert_eq!((checkout.branch.as_str(), checkout.followed()), ("side", "main"));
    let changes = [write("x.yaml", "x: 1\n")];
    let outcome = checkout.commit_and_push(&changes, "Deliver").await.unwrap();
    assert_eq!(desk.server.git("server", &["rev-parse", "side"]), outcome.sha());
    assert_eq!(desk.server.head(), head);
    let again = side().await.unwrap().commit_and_push(&changes, "Deliver").await.unwrap();
    assert_eq!(again, PushOutcome::Unchanged { sha: outcome.sha().to_owned() });
    let error = desk.open(Publication::Branch("main".to_owned())).await.unwrap_err();
    assert!(error.message().ends_with("that Flux follows"), "{error:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_commit_that_the_server_refuses_stays_and_is_said_to() {
    let desk = Desk::new();
    super::judge(&desk.server, "echo protected >&2; exit 1");
    let checkout = desk.open(Publication::Pushed).await.unwrap();
    let error = checkout.commit_and_push(&[write("x.yaml", "x: 1\n")], "Deliver").await.unwrap_err();
    assert!(error.causes()[1].starts_with("the commit stays in "), "{error:?}");
    assert!(error.hints().iter().any(|hint| hint.ends_with("desk push origin main")), "{error:?}");
    assert_eq!(desk.git(&["log", "-1", "--format=%s"]), "Deliver");
}
