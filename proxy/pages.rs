//! The pages of `error_pages`, read from their files.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use whodunit_conf::{Checked, Problems};
use whodunit_filters::attribution::page::own::{Page, Pages, Slot, Template};

/// The largest file that is taken for a page.
const MOST: u64 = 1 << 20;

/// The pages of a configuration, and what is probably not meant about them.
///
/// # Errors
/// Every file that cannot be used.
pub(crate) fn load(checked: &Checked) -> Result<(Pages, Problems), Problems> {
    let sections = &checked.config.error_pages;
    let places: Vec<String> = (0..sections.len()).map(|at| format!("[{at}]")).collect();
    let (mut pages, mut wrong, mut odd) = (Vec::new(), Vec::new(), Vec::new());
    for (section, at) in sections.iter().zip(&places) {
        let setting = vec!["error_pages", at, "file"];
        let text = match read(&section.file) {
            Ok(text) => text,
            Err(says) => {
                wrong.push((setting, says));
                continue;
            }
        };
        let template = Template::read(&text);
        if !template.lacking().is_empty() {
            odd.push((setting, lacks(&section.file, template.lacking())));
        }
        pages.push(Page {
            host: section.host.as_ref().map(|host| host.as_str().to_ascii_lowercase()),
            codes: section.statuses.iter().map(|statuses| statuses.0).collect(),
            template,
        });
    }
    if wrong.is_empty() {
        Ok((Pages(pages), checked.doubt(odd)))
    } else {
        Err(checked.refuse(wrong))
    }
}

fn lacks(file: &Path, slots: &[Slot]) -> String {
    let slots: Vec<_> = slots.iter().map(|slot| format!("`{{{slot}}}`")).collect();
    let slots = slots.join(" and ");
    format!("{} lacks {slots}: a line with cause and ref is added to it", file.display())
}

fn read(path: &Path) -> Result<String, String> {
    let cannot = |why: &dyn std::fmt::Display| format!("{} cannot be read: {why}", path.display());
    let file = File::open(path).map_err(|error| cannot(&error))?;
    let mut bytes = Vec::new();
    file.take(MOST + 1).read_to_end(&mut bytes).map_err(|error| cannot(&error))?;
    if bytes.len() as u64 > MOST {
        return Err(format!("{} is larger than 1 MiB", path.display()));
    }
    String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8", path.display()))
}
