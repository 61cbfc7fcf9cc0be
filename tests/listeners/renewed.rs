//! Certificates that change while requests run.

use super::{OK, own, proxy};
use crate::rig::certificates::{Authority, Says};
use crate::rig::origin::Origin;
use crate::rig::proxy::Proxy;
use crate::rig::secured::Wants;
use crate::rig::{settings::Settings, until};

fn reloads(proxy: &Proxy, result: &str) -> f64 {
    proxy.metrics().sum("whodunit_config_reloads_total", &[("result", result)])
}

#[test]
fn a_new_certificate_is_shown_and_connections_that_are_there_live_on() {
    let (root, own) = own();
    let next = root.signs(&Says::names(&["app.test"]));
    let origin = Origin::answering(OK);
    let proxy = proxy(&origin, &own, "");
    let wants = Wants::anything().trusting(&root);
    let shown = || wants.connect(proxy.address(), "app.test").expect("TLS").shown();
    let mut kept = wants.connect(proxy.address(), "app.test").expect("TLS");
    assert_eq!(kept.get("").expect("an answer").status, 200);
    own.becomes(&next);
    until("the new certificate", || (shown() == next.chain()[0]).then_some(()));
    assert_eq!(kept.get("").expect("an answer").status, 200);
    until("that to be counted", || (reloads(&proxy, "success") >= 1.0).then_some(()));
    until("that to be told of", || proxy.said().contains("taken up").then_some(()));

    own.spoil("no key at all");
    until("the bad key to be told of", || (reloads(&proxy, "failure") >= 1.0).then_some(()));
    until("the reason", || proxy.said().contains("holds no private key").then_some(()));
    assert_eq!(shown(), next.chain()[0]);
    assert_eq!(kept.get("").expect("an answer").status, 200);
}

#[test]
fn files_that_cannot_be_used_are_told_of_at_start() {
    let (root, own) = own();
    let other = root.signs(&Says::names(&["app.test"]));
    let origin = Origin::answering(OK);
    let settings = || Settings::to(&origin);
    let check = |settings: Settings| {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let yaml = settings.yaml("/nowhere/log".as_ref());
        std::fs::write(file.path(), yaml).expect("it is ours");
        let path = file.path().to_str().expect("text").to_owned();
        let mut process = crate::rig::proxy::Process::start(&["check", "--config", &path]);
        let good = process.ended().success();
        (good, process.said_to_the_end())
    };
    let (good, said) = check(settings().secured(&[&own], ""));
    assert!(good, "{said}");
    let aged = root.signs(&Says::names(&["old.test"]).expired());
    let nameless = root.signs(&Says::names(&[]).of("nobody"));
    let (good, said) = check(settings().secured(&[&own, &aged, &nameless], ""));
    assert!(good && said.contains("has expired") && said.contains("no host names"), "{said}");
    let wrong = |spoil: &dyn Fn(), says: &str| {
        let settings = settings().secured(&[&own], "");
        spoil();
        let (good, said) = check(settings);
        assert!(!good && said.contains(says), "{said}");
    };
    wrong(&|| own.spoil("nonsense"), "holds no private key");
    let others = std::fs::read_to_string(other.key_file()).expect("it is ours");
    wrong(&|| own.spoil(&others), "does not belong");
}

#[test]
fn a_key_that_everybody_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let own = Authority::new("root").signs(&Says::names(&["app.test"]));
    let settings = Settings::endpoints(&["127.0.0.1:9"]).secured(&[&own], "");
    let key = own.key_file();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("it is ours");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), settings.yaml("/nowhere/log".as_ref())).expect("it is ours");
    let path = file.path().to_str().expect("text");
    let mut process = crate::rig::proxy::Process::start(&["check", "--config", path]);
    assert!(!process.ended().success());
    let said = process.said_to_the_end();
    assert!(said.contains(&format!("chmod o= {}", key.display())), "{said}");
}
