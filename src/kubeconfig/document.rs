//! A kubeconfig as client-go decodes it, and its entries by name. Pure.

use super::finding::Report;
use super::node::Node;
use super::shape;
use super::yaml;
use crate::error::Result;

/// The fields that name files: the list, the field, and the field that holds the content instead.
pub(super) const FILE_FIELDS: [(&str, &str, &str); 4] = [
    ("clusters", "certificate-authority", "certificate-authority-data"),
    ("users", "tokenFile", "token"),
    ("users", "client-certificate", "client-certificate-data"),
    ("users", "client-key", "client-key-data"),
];

/// A kubeconfig of the right shape.
pub(super) struct Document {
    root: Node,
}

/// One cluster, user or context of a kubeconfig.
pub(super) struct Entry<'document> {
    pub(super) name: &'document str,
    /// Its fields; null where there are none.
    pub(super) fields: &'document Node,
}

impl Document {
    /// Reads a kubeconfig, or reports why client-go cannot.
    pub(super) fn read(text: &str, report: &mut Report<'_>) -> Option<Self> {
        let next_step = "check it: kubectl config view --kubeconfig FILE";
        let read = match yaml::read(text) {
            Ok(read) => read,
            Err(reason) => {
                report.refused("", format!("Flux refuses it, because it is not YAML: {reason}"), next_step);
                return None;
            }
        };
        for key in &read.repeated_keys {
            report.warning(key, "Flux uses the last of the values of this key", "remove the others");
        }
        if read.has_more_documents {
            report.warning("", "Flux reads only the first of the YAML documents", "store a single document");
        }
        match &read.root {
            Node::Map(_) | Node::Null => {}
            other => {
                let effect = format!("Flux refuses it, because it is {} and no kubeconfig", other.kind());
                report.refused("", effect, next_step);
                return None;
            }
        }
        let is_refused = shape::check_kubeconfig(&read.root, report);
        (!is_refused).then_some(Self { root: read.root })
    }

    /// Makes a kubeconfig of what the current context leads to, with the fields that `rewrite` gives the cluster and user.
    pub(super) fn reduced(&self, rewrite: impl Fn(&str, &Entry<'_>) -> Result<Node>) -> Result<Self> {
        let name = self.current_context();
        let mut root = vec![("current-context".to_owned(), Node::Text(name.to_owned()))];
        let mut keep = |list: &str, name: &str, fields: Node| {
            let entry = [("name", Node::Text(name.to_owned())), (list.trim_end_matches('s'), fields)];
            let entry = entry.map(|(key, node)| (key.to_owned(), node)).to_vec();
            root.push((list.to_owned(), Node::List(vec![Node::Map(entry)])));
        };
        let context = self.entry("contexts", name);
        if let Some(context) = &context {
            keep("contexts", name, context.fields.clone());
        }
        for (list, field) in [("clusters", "cluster"), ("users", "user")] {
            let name = context.as_ref().map_or("", |context| context.fields.text(field));
            if let Some(entry) = self.entry(list, name) {
                keep(list, name, rewrite(list, &entry)?);
            }
        }
        Ok(Self { root: Node::Map(root) })
    }

    pub(super) fn current_context(&self) -> &str {
        self.root.text("current-context")
    }

    /// Returns the entries of a list: `clusters`, `users` or `contexts`.
    pub(super) fn entries(&self, list: &str) -> impl Iterator<Item = Entry<'_>> {
        let singular = list.trim_end_matches('s').to_owned();
        self.root
            .list(list)
            .iter()
            .map(move |entry| Entry { name: entry.text("name"), fields: entry.get(&singular).unwrap_or(&Node::Null) })
    }

    pub(super) fn entry(&self, list: &str, name: &str) -> Option<Entry<'_>> {
        self.entries(list).find(|entry| entry.name == name)
    }
}

/// Names an entry in findings.
pub(super) fn label(list: &str, name: &str) -> String {
    format!("{} `{name}`", list.trim_end_matches('s'))
}
