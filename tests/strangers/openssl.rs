//! `openssl s_server` in its odd modes.

use std::process::Command;

use super::server::{Server, at};
use super::{Verdict, encounters};
use crate::rig::certificates::{Authority, Says};
use crate::rig::promise::Told;
use crate::rig::settings::Settings;

const ALERTED: Verdict =
    Verdict { cause: "tls_alert_received", party: "origin", phase: "tls", status: 502 };

const ASKING: Verdict = Verdict {
    cause: "tls_client_certificate_required",
    party: "proxy",
    phase: "tls|wait",
    status: 502,
};

/// What is said of a GET when the server is started with these options, and the upstream has this
/// key besides.
fn get(options: &[&str], key: &str) -> Result<Told, String> {
    let root = Authority::new("root");
    let own = root.signs(&Says::names(&["app.test"]));
    let other = root.signs(&Says::names(&["other.test"]));
    let mut command = Command::new("openssl");
    command.args(["s_server", "-accept", "127.0.0.1:0", "-naccept", "1"]);
    command.arg("-cert").arg(own.file()).arg("-key").arg(own.key_file());
    if options.contains(&"-servername") {
        command.arg("-cert2").arg(other.file()).arg("-key2").arg(other.key_file());
    }
    if options.contains(&"-Verify") {
        command.arg("-CAfile").arg(root.file());
    }
    let mut server = Server::start(command.args(options))?;
    let accepting = server.says("ACCEPT 127.0.0.1:");
    let mut settings = Settings::endpoints(&[&at(&accepting)])
        .with("timeouts", "read: 900ms")
        .once()
        .having(&format!("tls: {{ sni: app.test, ca: \"{}\" }}", root.file().display()));
    if !key.is_empty() {
        settings = settings.having(key);
    }
    Ok(settings.start().get("/"))
}

encounters! {
    /// It prints what it gets, and says what is typed: nothing.
    silent = Verdict { cause: "origin_slow", phase: "wait", status: 504, ..ALERTED },
        || get(&[], "");
    old_version_only = Verdict { cause: "tls_alert_received|tls_handshake_failed", ..ALERTED },
        || get(&["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"], "");
    old_ciphers_only = Verdict { cause: "tls_alert_received|tls_handshake_failed", ..ALERTED },
        || get(&["-tls1_2", "-cipher", "AES128-SHA"], "");
    certificate_wanted = ASKING, || get(&["-tls1_3", "-Verify", "1", "-verify_return_error"], "");
    certificate_wanted_by_an_old_version = ASKING,
        || get(&["-tls1_2", "-Verify", "1", "-verify_return_error"], "");
    name_unknown = Verdict { cause: "tls_sni_rejected", party: "proxy", ..ALERTED },
        || get(&["-servername", "other.test", "-servername_fatal"], "");
    protocol_unknown = Verdict { cause: "alpn_mismatch", party: "proxy", ..ALERTED },
        || get(&["-alpn", "http/1.1"], "protocol: h2");
    /// It speaks TLS, and the upstream is not told so.
    plain_text_unwelcome = Verdict {
        cause: "origin_expects_tls|origin_closed|origin_reset", party: "proxy|origin", phase: "wait|send", status: 502
    }, || {
        let root = Authority::new("root");
        let own = root.signs(&Says::names(&["app.test"]));
        let mut command = Command::new("openssl");
        command.args(["s_server", "-accept", "127.0.0.1:0"]);
        let mut server = Server::start(command.arg("-cert").arg(own.file()).arg("-key").arg(own.key_file()))?;
        let accepting = server.says("ACCEPT 127.0.0.1:");
        Ok(super::before(&at(&accepting)).start().get("/"))
    };
}
