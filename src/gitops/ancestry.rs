//! Whether one commit came after another, as a clone in the working directory knows it.

use std::process::Stdio;

/// Tells whether `descendant` has `ancestor` in its history; no where that cannot be proven from here.
///
/// Asks the user's git in the working directory, which a pipeline that has just pushed usually has.
pub async fn is_ancestor(ancestor: &str, descendant: &str) -> bool {
    let is_commit = |text: &str| text.len() >= 7 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_commit(ancestor) || !is_commit(descendant) {
        return false;
    }
    tokio::process::Command::new("git")
        .args(["merge-base", "--is-ancestor", ancestor, descendant])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .status()
        .await
        .is_ok_and(|status| status.success())
}
