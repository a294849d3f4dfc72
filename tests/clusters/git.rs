//! Git as companies have it: servers that judge commits, configurations for other purposes, and what Flux takes of a repository.

use testbed::Testbed;

use crate::Test;
use crate::bad_input::refused;
use crate::support::{INSTALL_FILE, PACKAGE, User, VERSION, eventually};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("git::a_server_that_wants_a_ticket_number", wants_a_ticket_number),
    ("git::what_the_artifact_does_not_hold", what_the_artifact_does_not_hold),
    ("git::revisions_in_every_spelling", revisions_in_every_spelling),
    ("git::revisions_that_nothing_can_be_pushed_to", pinned_revisions),
    ("git::ssh_without_a_key_for_flux", ssh_without_a_key),
    ("git::settings_for_other_purposes", settings_for_other_purposes),
];

/// Refuses a commit whose message names no ticket, and says so in colour; the values it finds it repeats.
const WANTS_TICKET: &str = r#"while read -r old new name; do
    git log --format=%B "$old..$new" | grep -q 'OPS-[0-9]' && continue
    printf '\033[31mERROR:\033[0m the commit message names no ticket; it holds fake-token-of-the-values\n' >&2
    exit 1
done"#;

fn wants_a_ticket_number(testbed: &Testbed) {
    let user = User::new(testbed, "ticket");
    user.bootstrap().expect_code(0);
    user.write("values.yaml", "workload_name: hello-app\nreplicas: 2\n# fake-token-of-the-values\n");
    let repository = user.workspace.repository();
    repository.judge_pushes(WANTS_TICKET).expect("a hook");
    let mut arguments = user.add_cluster_arguments("prod1", "prod1");
    let before = (user.state(), repository.head().expect("Git"));
    user.run(&arguments)
        .expect_code(1)
        .says("refuses the commit's message; nothing was pushed")
        .says("the server says: ERROR: the commit message names no ticket")
        .says("nothing was written on a cluster")
        .says("--commit-message")
        .does_not_say("fake-token-of-the-values")
        .does_not_say("created");
    assert_eq!(before, (user.state(), repository.head().expect("Git")));

    arguments.extend(["--commit-message", "OPS-7: {operation} {package} on {run-cluster}"]);
    user.run(&arguments).expect_code(0).says("ready");
    assert_eq!(repository.log().expect("Git")[0], format!("OPS-7: Deliver {PACKAGE} on prod1"));

    let remove = ["remove-cluster", "prod1", "--run-context", "prod1", "--yes"];
    user.run(&remove).expect_code(1).says("--commit-message").says("done before: ");
    user.run(&[&remove[..], &["--commit-message", "OPS-8: {operation} {package}"]].concat()).expect_code(0);
    assert_eq!(repository.log().expect("Git")[0], format!("OPS-8: Remove {PACKAGE}"));
    user.run(&[&remove[..], &["--commit-message", "{pakage}"]].concat())
        .expect_code(2)
        .says("{pakage} is no placeholder");
}

fn what_the_artifact_does_not_hold(testbed: &Testbed) {
    let user = User::new(testbed, "artifact");
    user.bootstrap().expect_code(0);
    let repository = user.workspace.repository();
    let url = repository.url().to_owned();
    let bootstrap = ["bootstrap", PACKAGE, "--git-url", &url, "--branch", "main", "--yes"];
    let add = user.add_cluster_arguments("prod1", "prod1");

    repository.commit(&[(".sourceignore", Some("*.md\npackages/\n"))], "Leave packages out").expect("a commit");
    refused(&user, &add, 1).says("is left out by `packages/` of .sourceignore");
    refused(&user, &bootstrap, 1).says("is left out by `packages/` of .sourceignore");
    repository.commit(&[(".sourceignore", None)], "Take packages in").expect("a commit");

    let set = |spec: &str| {
        let patch = r#"{"spec": {"ignore": null, "sparseCheckout": null}}"#;
        user.build(&["patch", "gitrepository", &format!("{PACKAGE}-gitops-repo"), "--type=merge", "-p", patch]);
        user.build(&["patch", "gitrepository", &format!("{PACKAGE}-gitops-repo"), "--type=merge", "-p", spec]);
    };
    set(r#"{"spec": {"ignore": "prod1"}}"#);
    refused(&user, &add, 1).says(&format!("{INSTALL_FILE} is left out by `prod1` of spec.ignore"));
    set(&format!(r#"{{"spec": {{"sparseCheckout": ["{PACKAGE}/packages"]}}}}"#));
    refused(&user, &add, 1).says(&format!("{INSTALL_FILE} is left out by spec.sparseCheckout"));
    set("{}");
    let attributes = |text| repository.commit(&[(".gitattributes", text)], "Say what is large").expect("a commit");
    attributes(Some("prod1/*.yaml filter=lfs\n**/params.yaml filter=lfs diff=lfs merge=lfs -text\n"));
    refused(&user, &add, 1).says("params.yaml lies in Git LFS");
    attributes(None);
    let file = format!("{PACKAGE}/packages/{VERSION}.yaml");
    let package = repository.read(&file).expect("Git").expect("a Package");
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n";
    repository.commit(&[(&file, Some(pointer))], "Store it elsewhere").expect("a commit");
    refused(&user, &add, 1).says(&format!("{file} lies in Git LFS"));
    repository.commit(&[(&file, Some(&package))], "Store it here").expect("a commit");

    // A submodule, which is the repository itself; its parts are out of reach, and the others are not.
    let modules = format!("[submodule \"vendor\"]\n\tpath = vendor\n\turl = {url}\n");
    let inner = repository.commit(&[(".gitmodules", Some(&modules))], "Name a submodule").expect("a commit");
    repository.git(&["read-tree", "main"]).expect("Git");
    let link = format!("160000,{inner},vendor");
    repository.git(&["update-index", "--add", "--cacheinfo", &link]).expect("Git");
    let tree = repository.git(&["write-tree"]).expect("Git");
    let commit = repository.git(&["commit-tree", tree.trim(), "-p", &inner, "-m", "Add a submodule"]).expect("Git");
    repository.git(&["update-ref", "refs/heads/main", commit.trim()]).expect("Git");
    let submodule = ["bootstrap", &format!("vendor/{PACKAGE}"), "--git-url", &url, "--branch", "main", "--yes"];
    refused(&user, &submodule, 1).says("lies in the submodule vendor");
    set(r#"{"spec": {"recurseSubmodules": true}}"#);
    // What leaves out something else changes nothing.
    set(&format!(r#"{{"spec": {{"ignore": "*.md\\n", "sparseCheckout": ["{PACKAGE}"]}}}}"#));
    user.run(&add).expect_code(0).says("ready");
}

fn revisions_in_every_spelling(testbed: &Testbed) {
    let user = User::new(testbed, "revisions");
    user.bootstrap().expect_code(0);
    let name = format!("{PACKAGE}-gitops-repo");
    let follow = |reference: &str| {
        let patch = format!(r#"{{"spec": {{"ref": {reference}}}}}"#);
        user.build(&["patch", "gitrepository", &name, "--type=merge", "-p", &patch]);
    };
    let url = user.workspace.repository().url().to_owned();
    let bootstrap = ["bootstrap", PACKAGE, "--git-url", &url, "--branch", "main", "--yes"];
    let add = user.add_cluster_arguments("prod1", "prod1");
    let head = user.workspace.repository().head().expect("Git");
    follow(&format!(r#"{{"commit": "{head}"}}"#));
    refused(&user, &add, 1).says(&format!("Flux follows commit {head}")).says("spec.ref.branch");
    refused(&user, &bootstrap, 1).says("has another ref: commit");
    follow(r#"{"commit": null, "name": "refs/heads/main"}"#);
    let fetched = format!("--for=jsonpath={{.status.artifact.revision}}=refs/heads/main@sha1:{head}");
    user.build(&["wait", "gitrepository", &name, &fetched, "--timeout=60s"]);
    user.run(&bootstrap).expect_code(0).says("nothing to change");
    user.run(&add).expect_code(0).says("ready");
    user.run(&["wait"]).expect_code(0).says("ready");
    user.run(&["remove-cluster", "prod1", "--run-context", "prod1", "--yes"]).expect_code(0);
}

fn pinned_revisions(testbed: &Testbed) {
    let user = User::delivered(testbed, "pinned");
    let repository = user.workspace.repository();
    let name = format!("{PACKAGE}-gitops-repo");
    let head = repository.head().expect("Git");
    repository.git(&["tag", "v1.2.3", &head]).expect("a tag");
    repository.git(&["update-ref", "refs/pull/7/head", &head]).expect("a reference");
    let follow = |reference: &str| {
        let none = r#""branch": null, "tag": null, "semver": null, "name": null, "commit": null"#;
        let patch = format!(r#"{{"spec": {{"ref": {{{none}, {reference}}}}}}}"#);
        user.build(&["patch", "gitrepository", &name, "--type=merge", "-p", &patch]);
    };
    // What came later is on the branch only.
    user.change_replicas(3);
    let add = user.add_cluster_arguments("prod1", "prod1");
    let remove = ["remove-cluster", "prod1", "--run-context", "prod1", "--yes"];
    let commit = format!("commit {head}");
    for (reference, followed, revision) in [
        (r#""tag": "v1.2.3""#, "tag v1.2.3", "v1.2.3@sha1:"),
        (r#""name": "refs/tags/v1.2.3""#, "tag v1.2.3", "refs/tags/v1.2.3@sha1:"),
        (r#""branch": "main", "semver": ">=1.0.0 <2.0.0""#, "tags >=1.0.0 <2.0.0", "v1.2.3@sha1:"),
        (r#""name": "refs/pull/7/head""#, "reference refs/pull/7/head", "refs/pull/7/head@sha1:"),
        (&format!(r#""branch": "main", "commit": "{head}""#), &commit, "main@sha1:"),
    ] {
        follow(reference);
        user.run(&["wait", "--revision", &head]).expect_code(0).says("ready");
        user.run(&["status"]).expect_code(0).says(&format!("{revision}{}", &head[..8]));
        user.run(&["values", PACKAGE, "--run-cluster", "prod1"]).expect_code(0).says("replicas: 2");
        refused(&user, &add, 1).says(&format!("Flux follows {followed} of ")).says("spec.ref.branch");
    }
    user.run(&["values", PACKAGE]).expect_code(0).says("workload_name");
    refused(&user, &remove, 1).says(&format!("Flux follows {commit} of ")).says("--keep-git");
    let nothing = "0123456789012345678901234567890123456789";
    for (reference, missing) in [
        (r#""tag": "v9""#, "tag v9 of "),
        (r#""semver": ">=9.0.0""#, "is a version in >=9.0.0"),
        (r#""name": "refs/pull/9/head""#, "reference refs/pull/9/head of "),
        (&format!(r#""commit": "{nothing}""#), nothing),
    ] {
        follow(reference);
        eventually("a fetch that fails", || {
            let source = user.get("build", user.workspace.build_namespace(), "gitrepository", &name);
            let ready = source["status"]["conditions"].as_array()?.iter().find(|one| one["type"] == "Ready")?;
            let is_seen = ready["observedGeneration"] == source["metadata"]["generation"];
            (is_seen && ready["status"] == "False").then_some(())
        });
        refused(&user, &add, 1).says(missing).says("correct spec.ref of the GitRepository");
        refused(&user, &["values", PACKAGE], 1).says("of which it has fetched nothing");
    }
}

fn ssh_without_a_key(testbed: &Testbed) {
    let mut user = User::new(testbed, "ssh");
    user.set("GIT_USERNAME", "");
    user.set("GIT_PASSWORD", "");
    // Nothing listens on the discard port.
    let url = "ssh://git@127.0.0.1:9/team/apps.git";
    let bootstrap = ["bootstrap", PACKAGE, "--git-url", url, "--branch", "main", "--yes"];
    refused(&user, &bootstrap, 1)
        .says(&format!("Flux has no SSH key for {url}"))
        .says("--ssh-key-file FILE --known-hosts-file FILE")
        .does_not_say("--git-username");
    let secret = format!("{PACKAGE}-gitops-auth");
    let keys = ["--from-literal=identity=fake-key", "--from-literal=known_hosts=fake-host"];
    user.build(&[&["create", "secret", "generic", &secret][..], &keys].concat());
    refused(&user, &bootstrap, 1).does_not_say("Flux has no SSH key");
    let short = ["bootstrap", PACKAGE, "--git-url", "git@127.0.0.1:team/apps.git", "--branch", "main", "--yes"];
    refused(&user, &short, 2).says("ssh://git@127.0.0.1/team/apps.git");
}

/// Settings that people have for other repositories, and that Git itself would apply to the plugin's, too.
const SETTINGS: &str = r#"
[clone]
    defaultRemoteName = upstream
[init]
    defaultBranch = trunk
[safe]
    directory = /nowhere
    bareRepository = explicit
[protocol "file"]
    allow = never
[transfer]
    fsckObjects = true
[fetch]
    prune = true
[push]
    default = nothing
    followTags = true
    gpgSign = true
    pushOption = ci.skip
    recurseSubmodules = check
[remote "origin"]
    url = /nowhere
    mirror = true
[core]
    autocrlf = true
    eol = crlf
    symlinks = false
    quotePath = true
    fsmonitor = true
    sparseCheckout = true
[commit]
    cleanup = strip
[diff]
    orderFile = /nowhere
[color]
    ui = always
    push = always
[submodule]
    recurse = true
[filter "lfs"]
    smudge = git-lfs-that-is-not-there smudge -- %f
    process = git-lfs-that-is-not-there filter-process
    required = true
"#;

fn settings_for_other_purposes(testbed: &Testbed) {
    let mut user = User::new(testbed, "settings");
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n";
    let large = [(".gitattributes", Some("*.bin filter=lfs\n")), ("large.bin", Some(pointer))];
    user.workspace.repository().commit(&large, "Store large files elsewhere").expect("a commit");
    let config = user.write("gitconfig", SETTINGS).display().to_string();
    let variables = [
        ("GIT_CONFIG_GLOBAL", config.as_str()),
        ("LANG", "de_DE.UTF-8"),
        ("LC_ALL", "de_DE.UTF-8"),
        ("LANGUAGE", "de"),
        ("GIT_DIR", "/nowhere"),
        ("GIT_INDEX_FILE", "/nowhere/index"),
        ("GIT_PAGER_IN_USE", "true"),
        ("GIT_TRACE", "1"),
    ];
    for (name, value) in variables {
        user.set(name, value);
    }
    user.bootstrap().expect_code(0);
    user.add_cluster("prod1").expect_code(0).says("ready");
    let url = user.workspace.repository().url().to_owned();
    refused(&user, &["bootstrap", PACKAGE, "--git-url", &url, "--branch", "mian", "--yes"], 1)
        .says("has no branch mian")
        .says("it has these branches: main")
        .does_not_say("trace:");
    user.run(&["remove-cluster", "prod1", "--run-context", "prod1", "--yes"]).expect_code(0);
    assert!(user.temporary_files().is_empty(), "{:?}", user.temporary_files());
}
