//! The PROXY protocol, between us and those who are known to speak it.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;

use socket2::Socket;
use tempfile::TempDir;

use super::nginx::Nginx;
use super::server::{Server, port};
use crate::rig::client::Client;
use crate::rig::origin::Origin;
use crate::rig::settings::Settings;
use crate::rig::{skip, until};

/// A running `HAProxy`.
struct Haproxy {
    address: SocketAddr,
    _server: Server,
    _port: Socket,
    _folder: TempDir,
}

impl Haproxy {
    /// Starts one whose frontend binds its port with these words, and does this.
    fn with(bind: &str, rules: &str) -> Result<Self, String> {
        let program = program().ok_or("haproxy is not installed")?;
        let folder = tempfile::tempdir().expect("a folder");
        let (port, address) = port();
        let config = folder.path().join("haproxy.cfg");
        let text = format!(
            "global\n maxconn 100\ndefaults\n mode http\n timeout connect 5s\n timeout client 20s\n \
             timeout server 20s\nfrontend front\n bind {address} {bind}\n{rules}\n"
        );
        std::fs::write(&config, text).expect("the folder is ours");
        let mut server = Server::start(Command::new(program).arg("-db").arg("-f").arg(&config))?;
        server.listens(address);
        Ok(Self { address, _server: server, _port: port, _folder: folder })
    }
}

/// Where the program is.
fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"].map(PathBuf::from);
    let folders = std::env::split_paths(&path).chain(more);
    folders.map(|folder| folder.join("haproxy")).find(|program| program.is_file())
}

/// What an origin is told that answers with what it was: the client, and where it connected to.
fn told(endpoint: &str, version: &str) {
    let key = format!("proxy_protocol: {version}");
    let proxy = Settings::endpoints(&[endpoint]).having(&key).start();
    let told = proxy.get("/");
    assert_eq!(told.status(), 200, "{:#}", told.record);
    let said = format!("{} {}", told.text("client"), proxy.address());
    assert_eq!(told.answer().text(), said, "{version}");
}

#[test]
fn nginx_hears_whose_connection_it_is() {
    let (_held, address) = port();
    let nginx = Nginx::with(&format!(
        "listen {address} proxy_protocol; return 200 \"$proxy_protocol_addr:$proxy_protocol_port \
         $proxy_protocol_server_addr:$proxy_protocol_server_port\";"
    ));
    let _nginx = match nginx {
        Ok(nginx) => nginx,
        Err(why) => return skip("strangers::proxied::nginx_hears_whose_connection_it_is", &why),
    };
    until("nginx to listen there as well", || TcpStream::connect(address).ok());
    for version in ["v1", "v2"] {
        told(&address.to_string(), version);
    }
}

#[test]
fn haproxy_hears_whose_connection_it_is() {
    let rules = " http-request return status 200 content-type text/plain lf-string \
                 \"%[src]:%[src_port] %[dst]:%[dst_port]\"";
    let haproxy = match Haproxy::with("accept-proxy", rules) {
        Ok(haproxy) => haproxy,
        Err(why) => return skip("strangers::proxied::haproxy_hears_whose_connection_it_is", &why),
    };
    for version in ["v1", "v2"] {
        told(&haproxy.address.to_string(), version);
    }
}

#[test]
fn haproxy_tells_whose_connection_it_is() {
    let name = "strangers::proxied::haproxy_tells_whose_connection_it_is";
    let origin = Origin::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let proxy = Settings::to(&origin).proxied().start();
    for word in ["send-proxy", "send-proxy-v2"] {
        let at = proxy.address();
        let rules = format!(
            " mode tcp\n default_backend back\nbackend back\n mode tcp\n server us {at} {word}"
        );
        let haproxy = match Haproxy::with("", &rules) {
            Ok(haproxy) => haproxy,
            Err(why) => return skip(name, &why),
        };
        let mut client = Client::connect(haproxy.address);
        let own = client.own();
        let told = proxy.exchange(|| {
            client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
            client.receive("GET")
        });
        assert_eq!(told.status(), 200, "{:#}", told.record);
        assert_eq!(told.text("client"), own.to_string(), "{word}");
        assert_ne!(told.text("told_by"), own.to_string());
        assert!(told.text("told_by").starts_with("127.0.0.1:"), "{:#}", told.record);
    }
}

/// What it says of its own connections, by which it looks whether we are there.
#[test]
fn health_checks_of_haproxy_are_its_own() {
    let name = "strangers::proxied::health_checks_of_haproxy_are_its_own";
    let origin = Origin::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let proxy = Settings::to(&origin).proxied().start();
    let rules = format!(
        " default_backend back\nbackend back\n option httpchk GET /healthz\n \
         server us {} send-proxy-v2 check inter 100ms",
        proxy.address()
    );
    let haproxy = match Haproxy::with("", &rules) {
        Ok(haproxy) => haproxy,
        Err(why) => return skip(name, &why),
    };
    let records = proxy.log.wait(2);
    drop(haproxy);
    for record in records {
        assert_eq!((&record["path"], &record["status"]), (&"/healthz".into(), &200.into()));
        assert!(record["told_by"].is_null(), "{record:#}");
    }
}
