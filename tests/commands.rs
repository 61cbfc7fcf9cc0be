//! The commands, as they are called from a shell.

mod demo;

use crate::rig::certificates::{Authority, Says};
use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;
use whodunit_filters::attribution::cause::CATALOGUE;

use crate::rig::client::Client;
use crate::rig::proxy::Process;

/// What became of a command.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("no JSON: {error}: {self:#?}"))
    }

    /// Whether it ended so, and said this where errors are said.
    fn failed(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        for word in words {
            assert!(self.err.contains(word), "no `{word}` in {self:#?}");
        }
    }

    /// Whether it ended so, said this, and nothing where errors are said.
    fn said(&self, code: i32, words: &[&str]) {
        assert_eq!((self.code, self.err.as_str()), (Some(code), ""), "{self:#?}");
        // Wherever lines end.
        let out = self.out.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in words {
            assert!(out.contains(word), "no `{word}` in {self:#?}");
        }
    }
}

fn run(arguments: &[&str]) -> Ran {
    run_with(arguments, b"")
}

fn run_with(arguments: &[&str], input: &[u8]) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_whodunit"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary can be run");
    let mut stdin = child.stdin.take().expect("it is piped");
    let input = input.to_vec();
    // A command need not read all of it.
    let writing = std::thread::spawn(move || stdin.write_all(&input).ok());
    let output = child.wait_with_output().expect("it can be waited for");
    writing.join().expect("writing does not panic");
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("it prints UTF-8"),
        err: String::from_utf8(output.stderr).expect("it prints UTF-8"),
    }
}

/// Runs it with this configuration in a file.
fn check(yaml: &str, more: &[&str]) -> Ran {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("whodunit.yaml");
    std::fs::write(&path, yaml).expect("the folder is ours");
    run(&[&["check", "--config", path.to_str().expect("the path is text")], more].concat())
}

const GOOD: &str = "upstreams: { web: { endpoints: [ \"127.0.0.1:9\" ] } }\n";
const SLIPS: &str = "lisseners: []\ntimeouts: { read: 5 parsecs }\n";

#[test]
fn help_is_enough_and_mistakes_are_told() {
    let commands =
        ["run", "check", "explain", "causes", "demo", "lab", "schema", "completions", "man"];
    let words = [&commands[..], &["Exit codes", "whodunit demo"]].concat();
    run(&["--help"]).said(0, &words);
    for command in commands {
        run(&[command, "--help"]).said(0, &["Usage:", "Examples:", "Exit codes:"]);
        let mistaken = run(&[command, "--no-such-flag"]);
        mistaken.failed(2, &["--no-such-flag"]);
    }
    run(&["--version"]).said(0, &[env!("CARGO_PKG_VERSION")]);
    run(&[]).failed(2, &["Usage:"]);
    run(&["chekc"]).failed(2, &["chekc", "check"]);
}

#[test]
fn check_passes_what_is_good() {
    check(GOOD, &[]).said(0, &["whodunit.yaml is good"]);
    let json = check(GOOD, &["--json"]).json();
    assert_eq!((&json["good"], &json["problems"]), (&true.into(), &Value::Array(Vec::new())));
    let full = concat!(env!("CARGO_MANIFEST_DIR"), "/conf/examples/full.yaml");
    let full = std::fs::read_to_string(full).expect("it is there");
    let root = Authority::new("root");
    let own = root.signs(&Says::names(&["example.net"]));
    let path = |path: std::path::PathBuf| path.display().to_string();
    let full = full
        .replace("/etc/whodunit/example.net.pem", &path(own.file()))
        .replace("/etc/whodunit/example.net.key", &path(own.key_file()))
        .replace("/etc/whodunit/clients.pem", &path(root.file()));
    check(&full, &[]).said(0, &["whodunit.yaml is good"]);
    let spare = "routes: [ { upstream: web } ]\nupstreams:\n  web: { endpoints: [ \"127.0.0.1:9\" ] }\n  \
                 spare: { endpoints: [ \"127.0.0.1:9\" ] }\n";
    let warned = check(spare, &[]);
    warned.failed(0, &["warning", "spare"]);
    assert!(warned.out.contains("is good"), "{warned:#?}");
}

#[test]
fn check_tells_every_problem_with_its_place() {
    let told = check(SLIPS, &[]);
    told.failed(
        2,
        &["did you mean `listeners`?", "whodunit.yaml:1:1", "whodunit.yaml:2:", "5 parsecs"],
    );
    assert_eq!(told.out, "");
    assert!(!told.err.contains('\u{1b}'), "no colours into a pipe: {told:#?}");
    let told = check(SLIPS, &["--json"]);
    assert_eq!((told.code, told.err.as_str()), (Some(2), ""));
    let json = told.json();
    assert_eq!(json["good"], false);
    let problems = json["problems"].as_array().expect("a list");
    let told: Vec<_> = problems.iter().map(|one| (&one["setting"], &one["line"])).collect();
    let [missing, slip, value] = ["upstreams", "lisseners", "timeouts.read"].map(Into::into);
    assert_eq!(told, [(&slip, &1.into()), (&missing, &1.into()), (&value, &2.into())]);
    run(&["check", "--config", "/no/such/file.yaml"])
        .failed(2, &["/no/such/file.yaml", "cannot be read"]);
    run(&["check"]).failed(2, &["--config"]);
}

#[test]
fn check_reads_the_files_that_a_configuration_names() {
    let web = "  web: { endpoints: [ \"127.0.0.1:9\" ], tls: { ca: /no/such/ca.pem } }\n";
    let yaml = format!(
        "routes: [ {{ upstream: web }}, {{ match: {{ path: /a }}, upstream: api }} ]\nupstreams:\n{web}{}",
        web.replace("web", "api").replace("such", "way")
    );
    let each = ["whodunit.yaml:3:51", "/no/such/ca.pem", "whodunit.yaml:4:51", "/no/way/ca.pem"];
    check(&yaml, &[]).failed(2, &each);
    let json = check(&yaml, &["--json"]).json();
    assert_eq!(json["problems"][1]["setting"], "upstreams.api.tls.ca", "{json:#}");
}

#[test]
fn the_schema_knows_every_section() {
    let json = run(&["schema"]).json();
    for section in ["listeners", "timeouts", "limits", "routes", "upstreams", "diagnosis", "log"] {
        assert!(json["properties"][section].is_object(), "{section}");
    }
}

#[test]
fn causes_are_listed_and_told() {
    let list = run(&["causes"]);
    let json = run(&["causes", "--format", "json"]).json();
    assert_eq!(json.as_array().map(Vec::len), Some(CATALOGUE.len()));
    for row in CATALOGUE.iter() {
        list.said(0, &[row.id]);
    }
    let page = run(&["causes", "--format", "markdown"]);
    page.said(0, &["# Causes", "| `keepalive_race` |"]);
    run(&["causes", "keepalive_race"]).said(0, &["keepalive_race", "What to do:", "timeouts.idle"]);
    run(&["causes", "keepalive_race", "--format", "markdown"]).said(0, &["## `keepalive_race`"]);
    let json = run(&["causes", "keepalive_race", "--format", "json"]).json();
    assert_eq!(json["party"], "proxy");
    let unknown = run(&["causes", "keepalive_rase"]);
    unknown.failed(2, &["keepalive_rase", "did you mean `keepalive_race`?"]);
    run(&["causes", "zzzzzzzzzz"]).failed(2, &["`whodunit causes` lists them all"]);
}

const MEMBER: &str = "edge-1; error=connection_refused; next-hop=\"10.0.0.5:80\"; cause=connect_refused; \
    party=origin; phase=connect; certainty=proved; sent=none; ref=\"01JD3WZ9Q4T7\"";

#[test]
fn explain_takes_text_files_and_standard_input() {
    let words = [
        "edge-1 made this answer itself",
        "Nothing accepts connections on 10.0.0.5:80.",
        "the origin, while connecting",
        "proved",
        "What to do: Start the service",
        "01JD3WZ9Q4T7",
    ];
    run(&["explain", MEMBER]).said(1, &words);
    let dump = format!("HTTP/1.1 502 Bad Gateway\r\nProxy-Status: {MEMBER}\r\n\r\nbody");
    run_with(&["explain"], dump.as_bytes()).said(1, &words);
    run_with(&["explain", "-"], dump.as_bytes()).said(1, &words);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("dump");
    std::fs::write(&path, &dump).expect("the folder is ours");
    run(&["explain", path.to_str().expect("it is text")]).said(1, &words);
    let json = run(&["explain", "--json", MEMBER]).json();
    assert_eq!(json["answers"][0]["hops"][0]["cause"], "connect_refused", "{json:#}");
    let others = "tier2; error=dns_timeout, edge-1; received-status=504";
    run(&["explain", others]).said(1, &["No name server answered", "edge-1 is cleared"]);
}

#[test]
fn explain_ends_by_what_it_found() {
    run_with(&["explain"], b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").said(0, &["200 OK"]);
    run(&["explain", "a shopping list"]).failed(2, &["nothing in it can be understood", "--help"]);
    run_with(&["explain"], b"").failed(2, &["nothing in it can be understood"]);
    run(&["explain", "/no/such/file.log"]).failed(2, &["no file has that name"]);
    let hostile = b"HTTP/1.1 502 \x1b[2J\r\nServer: \x1b]0;x\x07\xff\xfe\r\n\r\n\x00\x9b";
    let told = run_with(&["explain"], hostile);
    assert_eq!(told.code, Some(1), "{told:#?}");
    assert!(!told.out.chars().any(|c| c.is_control() && c != '\n'), "{told:#?}");
}

#[test]
fn explain_sums_up_a_long_log() {
    let record = "{\"ts\":\"2026-11-20T04:21:07.123Z\",\"node\":\"edge-1\",\"status\":502,\
                  \"cause\":\"connect_refused\",\"says\":\"Nobody is there.\",\"remedy\":\"Start it.\"}\n";
    let told = run_with(&["explain"], record.repeat(60_000).as_bytes());
    told.said(1, &["60000 records, 60000 of failures", "60000 times connect_refused", "Start it."]);
    assert!(told.out.len() < 2_000, "{} bytes", told.out.len());
    let too_much = run_with(&["explain"], record.repeat((17 << 20) / record.len()).as_bytes());
    too_much.failed(1, &["only the first 16 MiB are explained"]);
}

#[test]
fn the_lab_lists_its_doors_and_stops_when_told() {
    let mut lab = Process::start(&["lab", "--listen", "127.0.0.1:0"]);
    let address = lab.says("lab on http://", 0);
    let address = address.trim_end_matches('/').parse().expect("an address");
    lab.says("origin_reset ", 0);
    let mut client = Client::connect(address);
    client.send("GET / HTTP/1.1\r\nHost: lab\r\n\r\n");
    assert!(client.receive("GET").expect("it answers").text().contains("/fault/origin-reset"));
    lab.signal(Signal::TERM);
    assert!(lab.ended().success());
    for fault in whodunit::lab::table() {
        assert!(lab.said().contains(fault.cause), "{}", fault.name);
    }
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken.local_addr().expect("it is bound").to_string();
    run(&["lab", "--listen", &taken]).failed(2, &[&taken, "in use"]);
}

#[test]
fn shells_and_manuals_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        run(&["completions", shell]).said(0, &["explain", "upstream"]);
    }
    run(&["completions", "klingon"]).failed(2, &["bash"]);
    run(&["man"]).said(0, &[".TH whodunit", "explain"]);
    run(&["man", "check"]).said(0, &["whodunit\\-check", "Exit codes"]);
    run(&["man", "chekc"]).failed(2, &["chekc"]);
}

#[test]
fn a_reader_that_has_seen_enough_ends_it_quietly() {
    for arguments in [
        &["schema"][..],
        &["causes"],
        &["causes", "--format", "json"],
        &["completions", "bash"],
        &["man"],
        &["explain", MEMBER],
        &["demo"],
        &["lab", "--listen", "127.0.0.1:0"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = Command::new(env!("CARGO_BIN_EXE_whodunit"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .expect("the binary can be run");
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*err), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn output_that_cannot_be_written_is_told() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let output = Command::new(env!("CARGO_BIN_EXE_whodunit"))
        .args(["causes"])
        .stdout(full)
        .output()
        .expect("the binary can be run");
    assert_eq!(output.status.code(), Some(70));
    assert!(String::from_utf8_lossy(&output.stderr).contains("No space left"), "{output:?}");
}
