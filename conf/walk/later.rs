//! Settings that are part of the plan but that nothing acts on yet. They are refused, as every
//! unknown key is, but not as if they were slips of the pen.

/// The definition a key belongs to, and the key.
pub(super) const KEYS: &[(&str, &str)] = &[("Config", "store")];

/// What to say of a key of this definition, if it is one of these.
pub(super) fn key(section: &str, key: &str) -> Option<String> {
    KEYS.contains(&(section, key)).then(|| format!("`{key}` is not supported in this version"))
}
