//! Tests of [`super`] with a real `git` and a repository in a temporary directory.

mod own;
mod settings;
mod side_branch;

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::gitops::tree::FileChange;
use crate::gitops::url::GitUrl;

struct Server {
    directory: TempDir,
}

impl Server {
    /// Makes a repository with one commit on `main` and one tag.
    fn new() -> Self {
        let server = Self { directory: tempfile::tempdir().unwrap() };
        server.git(".", &["init", "--quiet", "--bare", "--initial-branch=main", "server"]);
        server.git(".", &["init", "--quiet", "--initial-branch=main", "other"]);
        server.git("other", &["remote", "add", "origin", "../server"]);
        server.push("a.yaml", "a: 1\nb: 1\nc: 1\nd: 1\ne: 1\n");
        server.push("b.yaml", "b: 1\n");
        server.git("other", &["push", "--quiet", "origin", "HEAD:refs/tags/v1"]);
        server
    }

    fn url(&self) -> GitUrl {
        let path = self.directory.path().join("server").display().to_string().replace('\\', "/");
        GitUrl::parse(&format!("file:///{}", path.trim_start_matches('/')))
    }

    fn git(&self, directory: &str, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(self.directory.path().join(directory)).envs(self.access().environment);
        let output = command.output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Pushes a file as someone else would.
    fn push(&self, path: &str, text: &str) {
        let file = self.directory.path().join("other").join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
        self.git("other", &["add", "--all"]);
        self.git("other", &["commit", "--quiet", "--message=other"]);
        self.git("other", &["push", "--quiet", "origin", "HEAD:refs/heads/main"]);
    }

    fn show(&self, path: &str) -> String {
        self.git("server", &["show", &format!("main:{path}")])
    }

    fn head(&self) -> String {
        self.git("server", &["rev-parse", "main"])
    }

    /// Shuts out the configuration of the machine; the identity comes by way of variables that others may add to.
    fn access(&self) -> GitAccess {
        let settings = [("user.name", "Test"), ("user.email", "test@example.com"), ("user.useConfigOnly", "true")];
        let mut access = GitAccess { environment: self.isolated(), ..GitAccess::default() };
        access.environment.push(("GIT_CONFIG_COUNT".into(), settings.len().to_string().into()));
        for (index, (key, value)) in settings.iter().enumerate() {
            access.environment.push((format!("GIT_CONFIG_KEY_{index}").into(), key.into()));
            access.environment.push((format!("GIT_CONFIG_VALUE_{index}").into(), value.into()));
        }
        access
    }

    fn isolated(&self) -> Vec<(OsString, OsString)> {
        let none = OsString::from("/dev/null");
        let home = self.directory.path().as_os_str().to_owned();
        vec![("HOME".into(), home), ("GIT_CONFIG_GLOBAL".into(), none.clone()), ("GIT_CONFIG_SYSTEM".into(), none)]
    }

    async fn clone(&self) -> Checkout {
        Checkout::clone(&self.url(), "main", &self.access()).await.unwrap()
    }
}

fn write(path: &str, text: &str) -> FileChange {
    FileChange { path: path.to_owned(), before: None, content: Some(text.into()) }
}

fn remove(path: &str) -> FileChange {
    FileChange { path: path.to_owned(), before: None, content: None }
}

#[tokio::test]
async fn clones_one_revision_into_a_private_directory() {
    let server = Server::new();
    let checkout = server.clone().await;
    assert_eq!(checkout.revision().await.unwrap(), server.head());
    assert_eq!(fs::read_to_string(checkout.root().join("b.yaml")).unwrap(), "b: 1\n");
    assert_eq!((checkout.url().to_string(), checkout.branch.as_str()), (server.url().to_string(), "main"));
    assert_eq!(checkout.run(&["rev-list", "--count", "HEAD"]).await.unwrap().stdout.trim(), "1");
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &fs::metadata(checkout.root().parent().unwrap()).unwrap().permissions(),
        );
        assert_eq!(mode & 0o777, 0o700);
    }
    let root = checkout.root().to_owned();
    drop(checkout);
    assert!(!root.exists());
}

#[tokio::test]
async fn unknown_branches_tags_and_repositories_are_named() {
    let server = Server::new();
    for branch in ["mian", "v1"] {
        let error = Checkout::clone(&server.url(), branch, &server.access()).await.unwrap_err();
        assert_eq!(error.message(), format!("{} has no branch {branch}", server.url()));
        assert_eq!(error.hints(), ["it has these branches: main"]);
    }
    let url = GitUrl::parse(&format!("{}-not", server.url()));
    let error = Checkout::clone(&url, "main", &server.access()).await.unwrap_err();
    assert_eq!(error.message(), format!("there is no repository at {url}, or you may not see it"));
    assert!(error.causes()[0].contains("does not appear to be a git repository"), "{error:?}");
}

#[tokio::test]
async fn a_missing_git_is_said_to_be_missing() {
    let server = Server::new();
    let mut access = server.access();
    access.environment.push(("PATH".into(), "/nowhere".into()));
    let error = Checkout::clone(&server.url(), "main", &access).await.unwrap_err();
    assert_eq!(error.message(), "git is not installed");
}

#[tokio::test]
async fn writes_removes_and_pushes_in_one_commit() {
    let server = Server::new();
    let checkout = server.clone().await;
    checkout.check_can_push().await.unwrap();
    checkout.check_identity().await.unwrap();
    fs::write(checkout.root().join(".git/info/exclude"), "params.yaml\n").unwrap();
    let changes = [
        write("app/prod1/params.yaml", "x: 1\n"),
        write("app/[*].yaml", "y: 1\n"),
        remove("b.yaml"),
        remove("never.yaml"),
    ];
    let outcome = checkout.commit_and_push(&changes, "-- carvelflux: add prod1").await.unwrap();
    assert_eq!(outcome, PushOutcome::Pushed { sha: server.head(), links: vec![] });
    assert_eq!(server.show("app/prod1/params.yaml"), "x: 1");
    assert_eq!(
        server.git("server", &["ls-tree", "-r", "--name-only", "main"]),
        "a.yaml\napp/[*].yaml\napp/prod1/params.yaml"
    );
    assert_eq!(server.git("server", &["log", "-1", "--format=%s|%an", "main"]), "-- carvelflux: add prod1|Test");
}

#[tokio::test]
async fn nothing_to_change_makes_no_commit() {
    let server = Server::new();
    let checkout = server.clone().await;
    for changes in [vec![], vec![write("b.yaml", "b: 1\n")], vec![remove("never.yaml")]] {
        let outcome = checkout.commit_and_push(&changes, "none").await.unwrap();
        assert_eq!(outcome, PushOutcome::Unchanged { sha: server.head() });
    }
}

#[tokio::test]
async fn a_push_of_someone_else_is_kept_and_ours_goes_on_top() {
    let server = Server::new();
    let checkout = server.clone().await;
    server.push("theirs.yaml", "t: 1\n");
    server.push("a.yaml", "a: 2\nb: 1\nc: 1\nd: 1\ne: 1\n");
    checkout.check_can_push().await.unwrap();
    let changes = [write("ours.yaml", "o: 1\n"), write("a.yaml", "a: 1\nb: 1\nc: 1\nd: 1\ne: 2\n")];
    let outcome = checkout.commit_and_push(&changes, "ours").await.unwrap();
    assert_eq!(outcome, PushOutcome::Pushed { sha: server.head(), links: vec![] });
    assert_eq!(server.show("theirs.yaml"), "t: 1");
    assert_eq!(server.show("a.yaml"), "a: 2\nb: 1\nc: 1\nd: 1\ne: 2");
    assert_eq!(server.git("server", &["rev-list", "--count", "main"]), "5");
}

#[tokio::test]
async fn the_same_change_by_someone_else_leaves_nothing_to_push() {
    let server = Server::new();
    let checkout = server.clone().await;
    server.push("same.yaml", "s: 1\n");
    let outcome = checkout.commit_and_push(&[write("same.yaml", "s: 1\n")], "ours").await.unwrap();
    assert_eq!(outcome, PushOutcome::Unchanged { sha: server.head() });
}

#[tokio::test]
async fn a_conflict_is_named_and_nothing_is_pushed() {
    let server = Server::new();
    let checkout = server.clone().await;
    server.push("b.yaml", "b: theirs\n");
    let head = server.head();
    let error =
        checkout.commit_and_push(&[write("b.yaml", "b: ours\n"), write("c.yaml", "c: 1\n")], "ours").await.unwrap_err();
    assert_eq!(error.message(), "someone else changed b.yaml on the branch main at the same time; nothing was pushed");
    assert_eq!(server.head(), head);
}

#[tokio::test]
async fn a_forced_push_of_someone_else_does_not_come_back() {
    let server = Server::new();
    let checkout = server.clone().await;
    server.git("other", &["reset", "--quiet", "--hard", "HEAD~1"]);
    server.git("other", &["push", "--quiet", "--force", "origin", "HEAD:refs/heads/main"]);
    server.push("new.yaml", "n: 1\n");
    let outcome = checkout.commit_and_push(&[write("ours.yaml", "o: 1\n")], "ours").await.unwrap();
    assert_eq!(outcome.sha(), server.head());
    assert_eq!(server.git("server", &["ls-tree", "-r", "--name-only", "main"]), "a.yaml\nnew.yaml\nours.yaml");
}

/// Lets the server judge each push by a shell script.
#[cfg(unix)]
fn judge(server: &Server, script: &str) {
    let hook = server.directory.path().join("server/hooks/pre-receive");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn a_refusal_of_the_server_is_final() {
    let server = Server::new();
    let checkout = server.clone().await;
    judge(&server, "echo protected >&2; exit 1");
    let head = server.head();
    let error = checkout.commit_and_push(&[write("c.yaml", "c: 1\n")], "ours").await.unwrap_err();
    assert_eq!(error.message(), format!("{} refuses changes to the branch main; nothing was pushed", server.url()));
    assert_eq!(error.causes(), ["the server says: protected"]);
    assert_eq!(server.head(), head);
}

#[cfg(unix)]
#[tokio::test]
async fn a_server_that_wants_another_message_is_obeyed() {
    let server = Server::new();
    judge(
        &server,
        "read old new name; git log --format=%B $old..$new | grep -q OPS- && exit 0
         printf '\\033[31mERROR:\\033[0m the commit message has no ticket, and fake-password (fake-remark) is known\\n' >&2; exit 1",
    );
    let values = "kind: Secret\nstringData:\n  values.yml: |\n    token: \"fake-password\"\n    name: ticket\n    # fake-remark\n";
    let change = || [write("c.yaml", values)];
    let error = server.clone().await.commit_and_push(&change(), "Deliver").await.unwrap_err();
    assert_eq!(error.causes(), ["the server says: ERROR: the commit message has no ***, and *** (***) is known"]);
    assert!(error.hints()[0].contains("--commit-message"), "{error:?}");
    let outcome = server.clone().await.commit_and_push(&change(), "OPS-7: Deliver").await.unwrap();
    assert_eq!(outcome.sha(), server.head());
}

#[tokio::test]
async fn a_missing_identity_is_found_before_and_at_the_commit() {
    let server = Server::new();
    let mut environment = server.isolated();
    let empty = ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "EMAIL"];
    environment.extend(empty.map(|name| (name.into(), OsString::new())));
    let checkout =
        Checkout::clone(&server.url(), "main", &GitAccess { environment, ..GitAccess::default() }).await.unwrap();
    for error in [
        checkout.check_identity().await.unwrap_err(),
        checkout.commit_and_push(&[write("c.yaml", "c: 1\n")], "x").await.unwrap_err(),
    ] {
        assert_eq!(error.message(), "git does not know who you are, so it cannot commit");
        assert!(error.hints()[0].contains("git config --global user.name"));
    }
}

#[tokio::test]
async fn paths_outside_the_checkout_are_refused() {
    let server = Server::new();
    let checkout = server.clone().await;
    for path in ["../x.yaml", "/tmp/x.yaml", ".git/config", "a/../../x"] {
        assert!(checkout.commit_and_push(&[write(path, "x: 1\n")], "x").await.is_err(), "{path}");
    }
    assert!(!Path::new("/tmp/x.yaml").exists());
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_and_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = GitUrl::parse(&format!("http://me:hunter2@{}/team/apps", listener.local_addr().unwrap()));
    let shown = url.to_string();
    let short = std::time::Duration::from_secs(1);
    let server = Server::new();
    for (limits, message) in [
        (Limits::new(Some(short), short * 60), format!("git could not clone {shown}: no answer for 1s")),
        (Limits { silence: None, total: Some(short) }, format!("git could not clone {shown} within 1s")),
    ] {
        let started = std::time::Instant::now();
        let access = GitAccess { limits, ..server.access() };
        let error = Checkout::clone(&url, "main", &access).await.unwrap_err();
        assert_eq!((error.kind(), error.message()), (crate::error::ErrorKind::Timeout, message.as_str()));
        assert!(error.hints()[0].contains("proxy or firewall"), "{error:?}");
        assert!(started.elapsed() < short * 10, "{:?}", started.elapsed());
        // Its helper for HTTP is gone as well: nobody holds the connection any more.
        let (mut connection, _) = listener.accept().unwrap();
        connection.set_read_timeout(Some(short * 10)).unwrap();
        std::io::Read::read_to_end(&mut connection, &mut Vec::new()).unwrap();
    }
}
