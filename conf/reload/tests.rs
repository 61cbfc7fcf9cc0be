use super::*;
use std::os::unix::fs::symlink;

/// Long enough for the slowest machine; a test that passes does not wait for it.
const DEADLINE: Duration = Duration::from_secs(30);

fn watched(path: &Path, current: &str) -> (Watch, Receiver<io::Result<String>>) {
    let (tell, told) = mpsc::channel();
    // So that events alone can tell.
    let never = Duration::from_hours(1);
    let tell = move |text| drop(tell.send(text));
    let watch = stand(path, current, never, tell).expect("a watch");
    (watch, told)
}

fn next(told: &Receiver<io::Result<String>>) -> String {
    told.recv_timeout(DEADLINE).expect("a change in time").expect("a text")
}

#[test]
fn writing_and_replacing_are_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("w.yaml");
    fs::write(&path, "one").expect("written");
    let (watch, told) = watched(&path, "one");
    fs::write(&path, "two").expect("written");
    assert_eq!(next(&told), "two");
    let other = folder.path().join(".w.yaml.swp");
    fs::write(&other, "three").expect("written");
    fs::rename(&other, &path).expect("replaced");
    assert_eq!(next(&told), "three");
    fs::write(&path, "four").expect("written");
    assert_eq!(next(&told), "four");
    fs::remove_file(&path).expect("removed");
    let gone = told.recv_timeout(DEADLINE).expect("a change in time");
    assert_eq!(gone.expect_err("there is no file").kind(), io::ErrorKind::NotFound);
    fs::write(&path, "four").expect("written");
    assert_eq!(next(&told), "four");
    drop(watch);
    assert!(told.recv().is_err(), "the watch is over");
}

#[test]
fn a_mounted_config_map_is_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    for (version, text) in [("..1", "one"), ("..2", "two"), ("..3", "three")] {
        fs::create_dir(at(version)).expect("a folder");
        fs::write(at(version).join("w.yaml"), text).expect("written");
    }
    symlink("..1", at("..data")).expect("a link");
    symlink("..data/w.yaml", at("w.yaml")).expect("a link");
    let mut folders = BTreeSet::new();
    trace(&at("w.yaml"), &mut folders, &mut 0);
    assert!(folders.contains(folder.path()) && folders.contains(&at("..1")));
    let (_watch, told) = watched(&at("w.yaml"), "one");
    for (version, text) in [("..2", "two"), ("..3", "three")] {
        symlink(version, at("..new")).expect("a link");
        fs::rename(at("..new"), at("..data")).expect("swapped");
        assert_eq!(next(&told), text);
    }
}

#[test]
fn a_change_before_the_watch_began_is_told_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("w.yaml");
    fs::write(&path, "new").expect("written");
    let (_watch, told) = watched(&path, "old");
    assert_eq!(next(&told), "new");
    assert!(super::watch(folder.path(), "", |_| ()).is_err(), "a folder is no file");
}

#[test]
fn links_in_a_circle_end() {
    let folder = tempfile::tempdir().expect("a folder");
    symlink("b", folder.path().join("a")).expect("a link");
    symlink("a", folder.path().join("b")).expect("a link");
    trace(&folder.path().join("a"), &mut BTreeSet::new(), &mut 0);
}

#[test]
fn the_same_text_is_told_once_and_so_is_the_same_trouble() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("w.yaml");
    let (events, _words) = mpsc::channel();
    let (tell, told) = mpsc::channel();
    let changed = move |text: io::Result<String>| drop(tell.send(text.ok()));
    let mut sentry =
        Sentry { path: path.clone(), current: Ok("one".to_owned()), changed, events, poll: POLL };
    for text in [Some("one"), Some("two"), None, Some("two")] {
        match text {
            Some(text) => fs::write(&path, text).expect("written"),
            None => fs::remove_file(&path).expect("removed"),
        }
        sentry.look();
        sentry.look();
    }
    let told: Vec<_> = told.try_iter().collect();
    assert_eq!(told, [Some("two".to_owned()), None, Some("two".to_owned())]);
}
