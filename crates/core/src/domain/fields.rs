//! The fields of a stream entry: names and bytes without validation.

/// The fields of an entry, in order. Values may be any bytes, because any program may append entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawFields(pub Vec<(Vec<u8>, Vec<u8>)>);

impl RawFields {
    /// The first value of the field `name`.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(key, _)| key == name.as_bytes()).map(|(_, value)| value.as_slice())
    }

    /// Adds a field at the end.
    pub fn push(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.0.push((name.as_bytes().to_vec(), value.into()));
    }

    /// Sets the field `name` to this value and removes all its earlier values.
    pub fn set(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.0.retain(|(key, _)| key != name.as_bytes());
        self.push(name, value);
    }

    /// Encodes the fields in the format of the embedded queue. Each name and each value is stored as its length, a
    /// little-endian u32, followed by its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let size = self.0.iter().map(|(key, value)| 8 + key.len() + value.len()).sum();
        let mut out = Vec::with_capacity(size);
        for part in self.0.iter().flat_map(|(key, value)| [key, value]) {
            // The cast cannot truncate, because request limits keep a field far below 4 GiB.
            out.extend_from_slice(&(part.len() as u32).to_le_bytes());
            out.extend_from_slice(part);
        }
        out
    }

    /// Decodes the result of [`Self::encode`]. Returns `None` if the bytes are truncated or malformed.
    pub fn decode(mut bytes: &[u8]) -> Option<Self> {
        let mut parts = Vec::new();
        while !bytes.is_empty() {
            let (length, rest) = bytes.split_first_chunk::<4>()?;
            let (part, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            parts.push(part.to_vec());
            bytes = rest;
        }
        if parts.len() % 2 != 0 {
            return None;
        }
        let mut parts = parts.into_iter();
        let mut fields = Vec::with_capacity(parts.len() / 2);
        while let (Some(key), Some(value)) = (parts.next(), parts.next()) {
            fields.push((key, value));
        }
        Some(Self(fields))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn encoded_fields_are_decoded_unchanged(fields: Vec<(Vec<u8>, Vec<u8>)>) {
            let fields = RawFields(fields);
            prop_assert_eq!(RawFields::decode(&fields.encode()), Some(fields));
        }

        #[test]
        fn any_bytes_are_decoded_or_rejected(bytes: Vec<u8>) {
            if let Some(fields) = RawFields::decode(&bytes) {
                prop_assert_eq!(fields.encode(), bytes);
            }
        }
    }
}
