//! What the origins serve.

use std::path::Path;

/// A name, and how it is asked for.
pub(super) const NAMES: &[(&str, &str)] = &[
    ("empty.txt", "/empty.txt"),
    ("one.txt", "/one.txt"),
    ("small.txt", "/small.txt"),
    ("page.html", "/page.html"),
    ("data.bin", "/data.bin"),
    ("large.txt", "/large.txt"),
    ("no-extension", "/no-extension"),
    ("sp ace.txt", "/sp%20ace.txt"),
    ("über.txt", "/%C3%BCber.txt"),
    ("per%cent.txt", "/per%25cent.txt"),
    ("tilde~.txt", "/tilde~.txt"),
    ("a+b,c;d=e@f!$&'()*:.txt", "/a+b,c;d=e@f!$&'()*:.txt"),
    ("..odd", "/%2e%2eodd"),
    ("dir/index.html", "/dir/"),
    ("dir/er/still.txt", "/dir/er/still.txt"),
    ("list/a.txt", "/list/a.txt"),
    ("list/b.txt", "/list/"),
];

/// Fills a folder with files of all sizes.
pub(super) fn fill(folder: &Path) {
    for (name, _) in NAMES {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("it is in a folder")).expect("it is ours");
        std::fs::write(path, content(name)).expect("the folder is ours");
    }
}

fn content(name: &str) -> Vec<u8> {
    let line = |number: usize| format!("{number}: {name}\n");
    match name {
        "empty.txt" => Vec::new(),
        "one.txt" => b"1".to_vec(),
        // Nothing a compression could work with, and every byte there is.
        "data.bin" => {
            (0..200_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
        }
        "large.txt" => (0..20_000).map(line).collect::<String>().into_bytes(),
        _ => (0..60).map(line).collect::<String>().into_bytes(),
    }
}
