//! That what users have configured for other purposes changes nothing.

use std::fs;

use super::{Checkout, PushOutcome, Server, remove, write};

/// What people have in their configuration for other purposes.
const HOSTILE: &str = r#"
[clone]
    defaultRemoteName = upstream
    rejectShallow = true
[init]
    defaultBranch = trunk
[push]
    default = nothing
    followTags = true
    gpgSign = true
    recurseSubmodules = only
    pushOption = ci.skip
    useForceIfIncludes = true
[fetch]
    prune = true
    pruneTags = true
    recurseSubmodules = true
    fsckObjects = true
[transfer]
    fsckObjects = true
[submodule]
    recurse = true
[url "https://mirror.example.com/"]
    insteadOf = https://unrelated.example.com/
[remote]
    pushDefault = nowhere
[remote "origin"]
    url = /nowhere
    push = refs/heads/*:refs/heads/*
    mirror = true
[branch]
    autoSetupRebase = always
[core]
    autocrlf = true
    eol = crlf
    safecrlf = true
    quotePath = true
    fsmonitor = false; touch fsmonitor-ran
    excludesFile = DIRECTORY/everything
    attributesFile = DIRECTORY/attributes
    sparseCheckout = true
    pager = false
    commentChar = 7
    abbrev = 4
[commit]
    template = DIRECTORY/nowhere
    verbose = true
    cleanup = strip
[status]
    showUntrackedFiles = no
    short = true
[diff]
    external = false
    ignoreSubmodules = all
    orderFile = /nowhere
    noprefix = true
[color]
    ui = always
    push = always
    remote = always
    transport = always
[log]
    showSignature = true
[rebase]
    autoSquash = true
    autoStash = true
    backend = apply
    instructionFormat = %b
    missingCommitsCheck = error
    rebaseMerges = true
    updateRefs = true
[rerere]
    enabled = true
    autoUpdate = true
[merge]
    conflictStyle = diff3
    ff = only
[advice]
    pushUpdateRejected = false
    pushFetchFirst = false
    detachedHead = false
[i18n]
    commitEncoding = ISO-8859-1
[feature]
    manyFiles = true
[filter "lfs"]
    clean = git-lfs-that-is-not-there
    smudge = git-lfs-that-is-not-there
    process = git-lfs-that-is-not-there
    required = true
[alias]
    push = "!false"
    commit = "!false"
"#;

#[tokio::test]
async fn the_users_other_settings_change_nothing() {
    let server = Server::new();
    let place = server.directory.path();
    fs::write(place.join("everything"), "*\n").unwrap();
    fs::write(place.join("attributes"), "* text eol=crlf\n").unwrap();
    let config = HOSTILE.replace("DIRECTORY", place.to_str().unwrap());
    fs::write(place.join("hostile"), config).unwrap();
    let mut access = server.access();
    access.environment.push(("GIT_CONFIG_GLOBAL".into(), place.join("hostile").into()));
    for (name, value) in [("LANG", "de_DE.UTF-8"), ("LANGUAGE", "de"), ("LC_MESSAGES", "de_DE.UTF-8")] {
        access.environment.push((name.into(), value.into()));
    }
    server.push("crlf.yaml", "a: 1\r\n");
    server.push("grüße.yaml", "a: 1\n");
    server.push(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
    server.push("large.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n");
    let clone = async || Checkout::clone(&server.url(), "main", &access).await.unwrap();

    let checkout = clone().await;
    assert_eq!(fs::read_to_string(checkout.root().join("a.yaml")).unwrap(), "a: 1\nb: 1\nc: 1\nd: 1\ne: 1\n");
    checkout.check_can_push().await.unwrap();
    checkout.check_identity().await.unwrap();
    server.push("theirs.yaml", "t: 1\n");
    let changes = [write("ours/ü.yaml", "o: 1\n"), write("crlf.yaml", "a: 2\r\n"), remove("b.yaml")];
    let outcome = checkout.commit_and_push(&changes, "#7 füge hinzu").await.unwrap();
    assert_eq!(outcome, PushOutcome::Pushed { sha: server.head(), links: vec![] });
    assert_eq!(server.git("server", &["log", "-1", "--format=%s|%an|%e", "main"]), "#7 füge hinzu|Test|");
    assert_eq!(server.git("server", &["cat-file", "-s", "main:crlf.yaml"]), "6");
    assert_eq!(
        server.git("server", &["-c", "core.quotePath=false", "ls-tree", "-r", "--name-only", "main"]),
        ".gitattributes\na.yaml\ncrlf.yaml\ngrüße.yaml\nlarge.bin\nours/ü.yaml\ntheirs.yaml"
    );
    assert_eq!(server.git("server", &["for-each-ref", "--format=%(refname)"]), "refs/heads/main\nrefs/tags/v1");

    let checkout = clone().await;
    let outcome = checkout.commit_and_push(&[write("ours/ü.yaml", "o: 1\n")], "same").await.unwrap();
    assert_eq!(outcome, PushOutcome::Unchanged { sha: server.head() });
    server.git("other", &["fetch", "--quiet", "origin", "main"]);
    server.git("other", &["reset", "--quiet", "--hard", "FETCH_HEAD"]);
    server.push("grüße.yaml", "a: theirs\n");
    let error = checkout.commit_and_push(&[write("grüße.yaml", "a: ours\n")], "ours").await.unwrap_err();
    assert!(error.message().starts_with("someone else changed grüße.yaml on the branch main"), "{error:?}");
    assert!(!checkout.root().join("fsmonitor-ran").exists());
    let error = Checkout::clone(&server.url(), "mian", &access).await.unwrap_err();
    assert_eq!(error.hints(), ["it has these branches: main"]);
}
