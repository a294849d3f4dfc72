//! Branches for pull requests.

use super::{Checkout, PushOutcome, Server, remove, write};
use crate::error::{Error, Result};

/// The delivery's file.
const FILE: &str = "app/prod1/install.yaml";

impl Server {
    /// Makes a server that holds a package.
    fn with_package() -> Self {
        let server = Self::new();
        server.push("app/packages/1.yaml", "v: 1\n");
        server
    }

    async fn side(&self) -> Result<Checkout> {
        self.clone().await.toward("side").await
    }

    async fn deliver(&self, text: &str) -> PushOutcome {
        self.side().await.unwrap().commit_and_push(&[write(FILE, text)], "Deliver").await.unwrap()
    }

    async fn refused(&self) -> Error {
        self.side().await.unwrap_err()
    }

    /// Works on the branch as somebody else.
    fn push_to_side(&self, path: &str) {
        self.git("other", &["fetch", "--quiet", "origin"]);
        self.git("other", &["switch", "--quiet", "--force-create", "side", "origin/side"]);
        let file = self.directory.path().join("other").join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "theirs: 1\n").unwrap();
        self.git("other", &["add", "--all"]);
        self.git("other", &["commit", "--quiet", "--message=theirs"]);
        self.git("other", &["push", "--quiet", "origin", "side"]);
        self.git("other", &["switch", "--quiet", "main"]);
    }

    fn merge(&self, arguments: &[&str]) {
        self.git("other", &["fetch", "--quiet", "origin"]);
        self.git("other", &[&["merge", "--quiet"], arguments, &["origin/side"]].concat());
    }

    fn push_main(&self) {
        self.git("other", &["push", "--quiet", "origin", "HEAD:refs/heads/main"]);
    }

    fn log(&self, branch: &str) -> String {
        self.git("server", &["log", "--format=%s", branch, "-3"]).replace('\n', ", ")
    }
}

#[tokio::test]
async fn a_branch_begins_at_the_followed_one_and_goes_on_until_it_is_merged() {
    let server = Server::with_package();
    let head = server.head();
    let checkout = server.side().await.unwrap();
    assert_eq!((checkout.branch.as_str(), checkout.followed()), ("side", "main"));
    checkout.check_can_push().await.unwrap();
    let first = server.deliver("x: 1\n").await;
    assert_eq!((server.log("side"), server.head()), ("Deliver, other, other".to_owned(), head));

    // The branch that Flux follows goes on: what is pushed stays pushed.
    server.push("app/packages/2.yaml", "v: 2\n");
    assert_eq!(server.deliver("x: 1\n").await, PushOutcome::Unchanged { sha: first.sha().to_owned() });
    server.deliver("x: 2\n").await;
    assert_eq!(server.log("side"), "Deliver, Deliver, other");
    server.push_to_side("app/prod2/install.yaml");
    server.deliver("x: 3\n").await;
    assert_eq!(server.log("side"), "Deliver, theirs, Deliver");

    server.merge(&["--no-edit"]);
    server.push("app/packages/3.yaml", "v: 3\n");
    assert!(server.side().await.unwrap().root().join("app/packages/3.yaml").exists());
    server.deliver("x: 4\n").await;
    assert_eq!(server.log("side"), "Deliver, other, Merge remote-tracking branch 'origin/side'");
}

#[tokio::test]
async fn a_branch_that_was_squashed_is_begun_anew() {
    let server = Server::with_package();
    server.deliver("x: 1\n").await;
    server.merge(&["--squash"]);
    server.git("other", &["commit", "--quiet", "--message=squashed"]);
    server.push_main();
    assert_eq!(server.deliver("x: 1\n").await, PushOutcome::Unchanged { sha: server.head() });
    // What somebody adds meanwhile is not replaced.
    let checkout = server.side().await.unwrap();
    server.push_to_side("app/prod2/install.yaml");
    let error = checkout.commit_and_push(&[write(FILE, "x: 2\n")], "Deliver").await.unwrap_err();
    assert!(error.message().starts_with("someone else pushed to the branch side"), "{error:?}");
    server.git("server", &["branch", "--force", "side", "side~1"]);
    server.deliver("x: 2\n").await;
    assert_eq!(server.log("side"), "Deliver, squashed, other");
}

#[tokio::test]
async fn branches_about_something_else_are_refused_by_name() {
    let server = Server::with_package();
    let error = server.clone().await.toward("main").await.unwrap_err();
    assert_eq!(error.message(), format!("main is the branch of {} that Flux follows", server.url()));
    server.deliver("x: 1\n").await;
    for path in ["app/packages/2.yaml", "README.md"] {
        server.push_to_side(path);
        let error = server.refused().await;
        assert_eq!(error.message(), format!("the branch side of {} is about something else", server.url()));
        assert!(error.causes()[0].contains(path), "{error:?}");
    }
    server.git("other", &["switch", "--quiet", "--orphan", "alone"]);
    server.git("other", &["commit", "--quiet", "--allow-empty", "--message=alone"]);
    server.git("other", &["push", "--quiet", "--force", "origin", "alone:side"]);
    assert!(server.refused().await.causes()[0].contains("no commit in common"));
}

#[tokio::test]
async fn merged_is_what_the_followed_branch_holds() {
    let server = Server::with_package();
    let main = server.clone().await;
    let sha = server.deliver("x: 1\n").await.sha().to_owned();
    main.fetch_commit(&sha).await.unwrap();
    let is_merged = async || main.holds_what(&sha, &["app/prod1"]).await.unwrap();
    assert!(!is_merged().await);
    server.push("app/prod2/install.yaml", "y: 1\n");
    assert!(main.has_moved().await.unwrap());
    assert!(!is_merged().await);
    server.merge(&["--squash"]);
    server.git("other", &["commit", "--quiet", "--message=squashed"]);
    server.push_main();
    server.git("server", &["branch", "--quiet", "-D", "side"]);
    assert!(is_merged().await);
    server.clone().await.commit_and_push(&[remove(FILE)], "Remove").await.unwrap();
    assert!(!is_merged().await);

    let error = main.fetch_commit(&"0123456789".repeat(4)).await.unwrap_err();
    assert!(error.message().contains("does not have the commit 0123456789"), "{error:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn the_links_that_a_server_offers_are_known() {
    let server = Server::with_package();
    super::judge(
        &server,
        "echo \"Create a pull request for 'side':\" >&2; echo '  https://git.example.com/new/side' >&2",
    );
    let PushOutcome::Pushed { links, .. } = server.deliver("x: 1\n").await else { panic!("it was pushed") };
    assert_eq!(links, ["https://git.example.com/new/side"]);
    let outcome = server.clone().await.commit_and_push(&[write("y.yaml", "y: 1\n")], "Deliver").await.unwrap();
    assert_eq!(outcome, PushOutcome::Pushed { sha: server.head(), links: vec![] });
}
