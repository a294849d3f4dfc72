//! Decrypts the values of a delivery: with private keys of age, or by the user's own `sops`.

use secrecy::ExposeSecret;
use serde_json::Value;

use super::delivery::{ExistingSecret, RunClusterDirectory, documents};
use super::manifest;
use super::sops::{self, Identities};
use super::sops_program::SopsProgram;
use crate::error::{Error, Result};

impl RunClusterDirectory {
    /// Decrypts the Secrets that these keys can, so that their contents are plain; fails where one was changed since.
    pub fn decrypt(&mut self, identities: &Identities) -> Result<()> {
        let ours = identities.recipients();
        for (index, document) in self.encrypted()? {
            let recipients = sops::recipients(&document);
            if !recipients.iter().any(|recipient| ours.iter().any(|own| own.to_string() == *recipient)) {
                continue;
            }
            let failed = |error: Error| error.behind(self.undecryptable(index));
            let plain = sops::decrypt(&document, identities).map_err(failed)?;
            self.set_plain(index, &plain);
        }
        Ok(())
    }

    /// Has the user's own `sops` decrypt what other keys than those of age have encrypted, too; what it has no key for stays as it
    /// is.
    pub async fn decrypt_by(&mut self, program: &SopsProgram) -> Result<()> {
        for (index, document) in self.encrypted()? {
            let file = self.secrets[index].file.clone();
            let Some(text) = self.files.iter().find(|one| one.path == file) else { continue };
            if !sops::has_other_keys(&document) {
                continue;
            }
            let failed = |error: Error| error.behind(self.undecryptable(index));
            let plain = program.decrypt(&file, text.content.expose_secret()).await.map_err(failed)?;
            let Some(plain) = plain else { continue };
            let fault = |fault: manifest::Fault| Error::new(fault.sentence(&file));
            if let Ok([plain]) = <[Value; 1]>::try_from(manifest::parse(plain.expose_secret()).map_err(fault)?) {
                self.set_plain(index, &plain);
            }
        }
        Ok(())
    }

    /// Returns the documents of the Secrets whose contents are not plain, each with its place among the Secrets.
    fn encrypted(&self) -> Result<Vec<(usize, Value)>> {
        let unreadable = self.secrets.iter().enumerate().filter(|(_, secret)| !secret.is_readable());
        let found = unreadable.filter_map(|(index, secret)| {
            let file = self.files.iter().find(|file| file.path == secret.file)?;
            // Of several documents, SOPS has one message authentication code.
            let only = |documents: Vec<Value>| <[Value; 1]>::try_from(documents).unwrap_or_default();
            Some(documents(file).map(only).map(|[document]| (index, document)))
        });
        found.collect()
    }

    fn undecryptable(&self, index: usize) -> Error {
        Error::new(format!("the values in {} cannot be decrypted", self.secrets[index].file))
    }

    fn set_plain(&mut self, index: usize, plain: &Value) {
        let secret = &mut self.secrets[index];
        secret.contents = ExistingSecret::read(&secret.file, plain).contents;
        secret.is_decrypted = true;
    }
}
