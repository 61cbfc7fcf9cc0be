//! Settings that are part of the plan but that nothing acts on yet. They are refused, as every
//! unknown key is, but not as if they were slips of the pen.

/// The definition a key belongs to, and the key.
pub(super) const KEYS: &[(&str, &str)] =
    &[("Upstream", "health"), ("Upstream", "eject"), ("Config", "store")];

/// The last key of a setting, and a value.
const WORDS: &[(&str, &str)] = &[("balance", "least_requests"), ("balance", "hash")];

/// What to say of a key of this definition, if it is one of these.
pub(super) fn key(section: &str, key: &str) -> Option<String> {
    KEYS.contains(&(section, key)).then(|| format!("`{key}` is not supported in this version"))
}

/// What to say of a value of this setting, if it is one of these.
pub(super) fn word(path: &str, word: &str) -> Option<String> {
    let setting = path.rsplit('.').next().unwrap_or_default();
    let known = WORDS.contains(&(setting, word));
    known.then(|| format!("`{setting}: {word}` is not supported in this version"))
}
