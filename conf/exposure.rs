//! A file that holds secrets and that everybody may read.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::problem::Problem;
use crate::schema::Config;

/// What a secret is shown as.
const MASK: &str = "***";
/// The right of everybody to read (`chmod(2)`: `S_IROTH`).
const EVERYBODY: u32 = 0o004;

/// What to say of the file that this configuration was read from, if anything.
pub(crate) fn look(path: &Path, config: &Config) -> Option<Problem> {
    let file = path.metadata().ok().filter(std::fs::Metadata::is_file)?;
    if file.permissions().mode() & EVERYBODY == 0 {
        return None;
    }
    let setting = secret(&config.shown(), "")?;
    let says = format!("every user of this machine can read this file, and so `{setting}`");
    let help = format!("take that right away: `chmod o= {}`", path.display());
    Some(Problem::warning(setting, 0..0, says).help(help))
}

/// The first setting whose value is a secret.
fn secret(value: &Value, at: &str) -> Option<String> {
    match value {
        Value::String(text) if text == MASK => Some(at.to_owned()),
        Value::Object(map) => map.iter().find_map(|(key, value)| match at {
            "" => secret(value, key),
            _ => secret(value, &format!("{at}.{key}")),
        }),
        Value::Array(list) => list
            .iter()
            .enumerate()
            .find_map(|(index, value)| secret(value, &format!("{at}[{index}]"))),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn secrets_that_everybody_may_read_are_told_of() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("whodunit.yaml");
        let plain = "upstreams: { web: { endpoints: [ \"10.0.0.5:80\" ] } }\n";
        let secret = format!("{plain}admin: {{ token: \"0123456789abcdef\" }}\n");
        for (text, mode, told) in
            [(plain, 0o644, false), (&secret, 0o644, true), (&secret, 0o640, false)]
        {
            fs::write(&path, text).expect("the folder is ours");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
            let (checked, _) = crate::load(&path).expect("it is right");
            let warnings = checked.warnings.to_string();
            assert_eq!(warnings.contains("`admin.token`"), told, "{mode:o} {warnings}");
            assert_eq!(warnings.contains("chmod o="), told, "{mode:o} {warnings}");
            assert!(!warnings.contains("0123456789abcdef"));
        }
    }
}
