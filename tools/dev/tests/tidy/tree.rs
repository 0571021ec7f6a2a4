//! The project's own text files, read once, with their paths from the workspace's root.
//! Decides which folders are ours to judge; knows no rule.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A text file of the project.
pub(crate) struct File {
    /// From the workspace's root, with `/` between the parts.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    /// For the negative tests: a file that is not there.
    pub(crate) fn new(path: &str, text: &str) -> File {
        File {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

const TEXT: &[&str] = &[
    "rs", "md", "toml", "txt", "sh", "py", "yml", "yaml", "json", "xml", "java", "tsv", "snap",
];
const SKIPPED: &[&str] = &["target", "data", "node_modules", "__pycache__"];

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every text file of the project, in order of path.
pub(crate) fn files() -> &'static [File] {
    static FILES: OnceLock<Vec<File>> = OnceLock::new();
    FILES.get_or_init(|| {
        let mut found = Vec::new();
        walk(&root(), "", &mut found);
        found.sort_by(|a, b| a.path.cmp(&b.path));
        found
    })
}

pub(crate) fn rust() -> impl Iterator<Item = &'static File> {
    files().iter().filter(|file| file.is_rust())
}

pub(crate) fn text(path: &str) -> &'static str {
    match files().iter().find(|file| file.path == path) {
        Some(file) => &file.text,
        None => panic!("{path} is missing"),
    }
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<File>) {
    for entry in fs::read_dir(folder).expect("a folder of the project") {
        let entry = entry.expect("an entry of a folder");
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if entry.path().is_dir() {
            let hidden = name.starts_with('.') && name != ".ci" && name != ".cargo";
            if !hidden && !SKIPPED.contains(&name.as_str()) {
                walk(&entry.path(), &format!("{path}/"), found);
            }
        } else {
            let extension = name.rsplit_once('.').map_or("", |(_, last)| last);
            // A script has no ending; what is not UTF-8 is not text.
            let ours = TEXT.contains(&extension) || !name.contains('.');
            if let (true, Ok(text)) = (ours, fs::read_to_string(entry.path())) {
                found.push(File { path, text });
            }
        }
    }
}
