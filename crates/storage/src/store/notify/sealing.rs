//! Encryption of the secrets of receivers and sources in the database. The keys are in the store's vault.

use std::collections::BTreeMap;

use diesel::sql_types::{BigInt, Nullable, Text};
use secrecy::{ExposeSecret, SecretString};

use super::managed::{owner, table_of};
use crate::store::backend::{read, transact};
use crate::store::sql::{Document, JsonText, sql};
use crate::store::{Store, StoreError};
use sentistream_core::domain::managed_source::SourceDefinition;
use sentistream_core::domain::notify::{Kind, Secrets};
use sentistream_core::secrets::{SecretsError, is_sealed};

/// The text that binds an encrypted secret to its owner (a receiver or a source, see [`owner`]) and its name. The
/// secret cannot be decrypted with another text.
fn place(receiver: &str, secret: &str) -> String {
    format!("receiver:{receiver}:{secret}")
}

impl Store {
    /// The secrets as they are stored: encrypted if the store has keys.
    ///
    /// # Errors
    /// When a secret cannot be encrypted.
    pub(super) fn sealed(&self, receiver: &str, secrets: &Secrets) -> Result<Secrets, StoreError> {
        let Some(vault) = &self.vault else { return Ok(secrets.clone()) };
        let seal = |(name, secret): (&String, &SecretString)| {
            let sealed = vault.seal(secret, &place(receiver, name))?;
            Ok((name.clone(), SecretString::from(sealed)))
        };
        let sealed: Result<BTreeMap<_, _>, SecretsError> = secrets.0.iter().map(seal).collect();
        sealed.map(Secrets).map_err(|error| StoreError::Failed(error.to_string()))
    }

    /// Whether all `secrets` have the form in which they are stored now: sealed with the current key, or in plain text
    /// if the store has no keys.
    pub(super) fn are_current(&self, secrets: &Secrets) -> bool {
        secrets.0.values().all(|secret| match &self.vault {
            Some(vault) => vault.is_current(secret.expose_secret()),
            None => !is_sealed(secret.expose_secret()),
        })
    }

    /// The secrets in plain text. A secret that cannot be decrypted is left out and logged; the receiver or source then
    /// reports that the secret is missing.
    pub(super) fn opened(&self, receiver: &str, stored: Secrets) -> Secrets {
        let open = |(name, secret): (String, SecretString)| {
            if !is_sealed(secret.expose_secret()) {
                return Some((name, secret));
            }
            let place = place(receiver, &name);
            let opened = match &self.vault {
                Some(vault) => vault.unseal(secret.expose_secret(), &place).map_err(|error| error.to_string()),
                None => Err("the secret is encrypted: set database.key_file to the file with its key".to_owned()),
            };
            match opened {
                Ok(secret) => Some((name, secret)),
                Err(error) => {
                    tracing::error!(receiver, secret = name, error, "secret not decrypted");
                    None
                }
            }
        };
        Secrets(stored.0.into_iter().filter_map(open).collect())
    }

    /// Encrypts the secrets of all receivers and sources with the current key. Returns the number of changed receivers
    /// and sources. If the store has no keys, secrets in plain text stay as they are.
    ///
    /// # Errors
    /// When the database fails, or a secret cannot be encrypted or decrypted, for example because the store has no
    /// keys.
    pub async fn reseal_secrets(&self) -> Result<usize, StoreError> {
        let mut changed = 0;
        // Secrets may be stored while they are read, so they are read again until all are current.
        for _ in 0..ROTATIONS {
            let found = self.reseal(Kind::Receiver, Which::Old).await? + self.reseal(Kind::Source, Which::Old).await?;
            if found == 0 {
                return Ok(changed);
            }
            changed += found;
        }
        Err(StoreError::Failed("secrets changed while they were encrypted: run the command again".to_owned()))
    }

    /// Encrypts secrets that were stored in plain text, before the store had keys, and passwords in URLs of sources.
    /// Returns the number of changed receivers and sources. Does nothing if the store has no keys.
    ///
    /// # Errors
    /// When the database fails, or a secret cannot be encrypted.
    pub async fn seal_plain_secrets(&self) -> Result<usize, StoreError> {
        if self.vault.is_none() {
            return Ok(0);
        }
        let plain = self.reseal(Kind::Receiver, Which::Plain).await? + self.reseal(Kind::Source, Which::Plain).await?;
        Ok(plain + self.hide_accounts().await?)
    }

    /// Moves passwords from the URLs of sources to their secrets. Only sources that an earlier release stored have
    /// passwords in URLs.
    async fn hide_accounts(&self) -> Result<usize, StoreError> {
        let table = table_of(Kind::Source);
        let text = format!("SELECT id, spec, secrets FROM {table}");
        let rows: Vec<SourceRow> =
            read!(self, primary, |c| sql(text).rows::<(BigInt, Document, Nullable<Document>)>().load(c))?;
        let mut count = 0;
        for SourceRow { id, spec, secrets } in rows {
            let Ok(mut definition) = serde_json::from_str::<SourceDefinition>(&spec.0) else { continue };
            let name = owner(Kind::Source, &definition.name);
            let stored = secrets.as_ref().map(|secrets| Secrets::read(&secrets.0)).unwrap_or_default();
            let mut opened = self.opened(&name, stored.clone());
            if opened.names() != stored.names() {
                continue;
            }
            match definition.hide_accounts(&mut opened) {
                Ok(0) => continue,
                Ok(_) => {}
                Err(error) => {
                    let help = "add this source to the configuration file, then delete it in the dashboard";
                    tracing::warn!(source = definition.name, %error, help, "passwords of a source stay unencrypted");
                    continue;
                }
            }
            // The type can always be serialised to JSON.
            let hidden = JsonText(serde_json::to_value(&definition).unwrap_or_default().to_string());
            let sealed = self.sealed(&name, &opened)?;
            let stored = JsonText(sealed.exposed());
            // A source whose settings or secrets were changed after they were read stays as it is.
            let text = format!(
                "UPDATE {table} SET spec = ?, secrets = ? WHERE id = ? AND spec = ? AND secrets IS NOT DISTINCT FROM ?"
            );
            let before = (spec, secrets);
            let changed: usize = transact!(
                self,
                (text, id, hidden, stored.clone(), before),
                |c, (text, id, hidden, stored, before), run| {
                    run!(
                        sql(text)
                            .bind::<Document, _>(hidden)
                            .bind::<Document, _>(stored)
                            .bind::<BigInt, _>(id)
                            .bind::<Document, _>(before.0)
                            .bind::<Nullable<Document>, _>(before.1)
                            .execute(c)
                    )
                }
            )?;
            if changed > 0 && !self.are_current(&sealed) {
                self.replace_sealed(&Owner { kind: Kind::Source, id, name }, &opened, stored).await?;
            }
            count += changed;
        }
        Ok(count)
    }

    /// Encrypts secrets with the current key, and returns the number of changed objects.
    async fn reseal(&self, kind: Kind, which: Which) -> Result<usize, StoreError> {
        let table = table_of(kind);
        let text = format!("SELECT id, name, secrets FROM {table} WHERE secrets IS NOT NULL");
        let rows: Vec<SealedRow> =
            read!(self, primary, |c| sql(text).rows::<(BigInt, Nullable<Text>, Document)>().load(c))?;
        let mut changed = 0;
        for SealedRow { id, name, secrets } in rows {
            let (name, stored) = (owner(kind, &name.unwrap_or_default()), Secrets::read(&secrets.0));
            let is_done = match which {
                Which::Old => self.are_current(&stored),
                Which::Plain => stored.0.values().all(|secret| is_sealed(secret.expose_secret())),
            };
            if is_done {
                continue;
            }
            let opened = self.opened(&name, stored.clone());
            if opened.names() != stored.names() {
                // For `Which::Plain` this is no error: the failed decryption was logged, and the receiver or source
                // reports the missing secret.
                if which == Which::Plain {
                    continue;
                }
                return Err(StoreError::Failed(format!(
                    "a secret of the {} {name} cannot be decrypted; it was not changed",
                    kind.as_str()
                )));
            }
            self.replace_sealed(&Owner { kind, id, name }, &opened, secrets).await?;
            changed += 1;
        }
        Ok(changed)
    }

    /// Replaces the stored secrets `before` of an object with `secrets`, sealed with the current key, and returns the
    /// stored text. Secrets that were changed in the meantime stay as they are: the change that stored them checks
    /// afterwards that they are sealed with the current key, as this function does. The rotation of the keys may have
    /// read the table before the secrets were committed, and removes the old keys at its end.
    pub(super) async fn replace_sealed(
        &self,
        owner: &Owner,
        secrets: &Secrets,
        mut before: JsonText,
    ) -> Result<JsonText, StoreError> {
        let table = table_of(owner.kind);
        for _ in 0..ROTATIONS {
            let sealed = self.sealed(&owner.name, secrets)?;
            let after = JsonText(sealed.exposed());
            transact!(self, (owner.id, after.clone(), before), |c, (id, after, before), run| {
                run!(
                    sql(format!("UPDATE {table} SET secrets = ? WHERE id = ? AND secrets = ?"))
                        .bind::<Document, _>(after)
                        .bind::<BigInt, _>(id)
                        .bind::<Document, _>(before)
                        .execute(c)
                )
            })?;
            before = after;
            if self.are_current(&sealed) {
                break;
            }
        }
        Ok(before)
    }
}

/// The maximum number of rotations of the keys during one change of secrets.
const ROTATIONS: usize = 10;

/// An object with secrets.
pub(super) struct Owner {
    /// The kind of the object.
    pub kind: Kind,
    /// The id of the object.
    pub id: i64,
    /// The name that binds secrets to the object, see [`owner`].
    pub name: String,
}

/// The secrets to encrypt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    /// The secrets of objects that have at least one secret that is not sealed with the current key.
    Old,
    /// The secrets of objects that have at least one secret in plain text.
    Plain,
}

/// A receiver or source with secrets, as stored.
#[derive(diesel::Queryable)]
struct SealedRow {
    id: i64,
    name: Option<String>,
    secrets: JsonText,
}

/// A source, as stored.
#[derive(diesel::Queryable)]
struct SourceRow {
    id: i64,
    spec: JsonText,
    secrets: Option<JsonText>,
}
