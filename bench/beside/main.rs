//! whodunit beside what users would pick instead: `make bench`, or `make bench QUICK=1`.
//!
//! Every proxy forwards to the same nginx, with comparable duties: connections are kept alive on
//! both sides, failures go to a log. Each runs with one thread on one core; the load and the origin
//! share the other. The rounds alternate between the proxies, so that what else the machine does
//! hits all of them alike. What counts is the CPU time a request takes ([`process`]), as the
//! median of the rounds, and its ratio to a bare Pingora ([`bare`]) of the same build.
//!
//! `ONLY=whodunit,bare` and `SCENES=small,dead` measure a part and keep no files.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]

mod bare;
mod budget;
mod chart;
mod figures;
mod flood;
mod idle;
mod load;
mod machine;
mod peers;
mod process;
mod scene;
mod table;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use figures::{Figures, Sample};
use peers::{Peer, Stage, Started};
use scene::Scene;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, word, rest @ ..] = arguments.as_slice()
        && word == "bare"
        && let Some(rest) = rest.first_chunk()
    {
        bare::serve(rest.each_ref().map(String::as_str));
    }
    let plan = Plan::read();
    let began = Instant::now();
    let figures = match plan.measure() {
        Ok(figures) => figures,
        Err(problem) => {
            eprintln!("bench: {problem}");
            return ExitCode::FAILURE;
        }
    };
    let text = format!(
        "{}\n\n{}\n{}",
        machine::describe(&figures),
        table::render(&figures),
        budget::render(&figures)
    );
    println!("{text}");
    if plan.whole {
        let folder = machine::folder();
        let files = [
            ("table.txt", text),
            ("raw.json", figures.json()),
            ("chart.svg", chart::draw(&figures)),
        ];
        fs::create_dir_all(&folder).expect("the folder of the project can be written to");
        for (name, content) in files {
            fs::write(folder.join(name), content).expect("the folder can be written to");
        }
        println!("kept in {}", folder.display());
    }
    eprintln!("bench: {:.0} s", began.elapsed().as_secs_f64());
    ExitCode::SUCCESS
}

/// What is to be measured.
struct Plan {
    quick: bool,
    rounds: u32,
    seconds: u32,
    only: Vec<String>,
    scenes: Vec<String>,
    /// The figures are worth keeping.
    whole: bool,
}

impl Plan {
    fn read() -> Self {
        let list = |name| -> Vec<String> {
            let text = std::env::var(name).unwrap_or_default();
            text.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
        };
        let quick = std::env::var_os("QUICK").is_some_and(|value| !value.is_empty());
        let (only, scenes) = (list("ONLY"), list("SCENES"));
        let whole = !quick && only.is_empty() && scenes.is_empty();
        let rounds = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
        Self {
            quick,
            rounds: rounds.unwrap_or(if quick { 1 } else { 5 }),
            seconds: if quick { 1 } else { 2 },
            only,
            scenes,
            whole,
        }
    }

    fn measure(&self) -> Result<Figures, String> {
        process::settle();
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let stage = Stage::new(directory.path())?;
        let mut figures = Figures::default();
        let mut running = Vec::new();
        let wanted = |name: &str| self.scenes.is_empty() || self.scenes.iter().any(|s| s == name);
        for peer in Peer::all() {
            if !self.only.is_empty() && !self.only.iter().any(|name| name == peer.name) {
                continue;
            }
            match peer.start(&stage) {
                Ok(started) => {
                    if wanted("idle") {
                        // One that has held nothing else before.
                        let fresh = peer.start(&stage)?;
                        figures.idle.push((peer.name, idle::memory(&fresh)?));
                    }
                    figures.versions.push((peer.name, started.version.clone()));
                    figures.at_start.push((peer.name, started.memory().now));
                    running.push(started);
                }
                Err(reason) => {
                    eprintln!("bench: {} is left out: {reason}", peer.name);
                    figures.left_out.push((peer.name, reason));
                }
            }
        }
        for scene in Scene::all().iter().filter(|scene| wanted(scene.name)) {
            if let Some(tool) = scene.load.missing() {
                eprintln!("bench: {} is left out: {tool} is not installed", scene.name);
                continue;
            }
            for round in 0..self.rounds {
                // The order turns, so that nobody always comes after the same one.
                let first = usize::try_from(round).unwrap_or(0) % running.len().max(1);
                for turn in 0..running.len() {
                    let started = &running[(first + turn) % running.len()];
                    let Some(place) = started.place(scene) else { continue };
                    if round == 0 && self.rounds > 1 {
                        scene.load.run(&place, 1)?;
                    }
                    let sample = self.sample(scene, started, &place, round)?;
                    eprintln!("bench: {sample}");
                    figures.samples.push(sample);
                }
            }
        }
        if wanted("flood") {
            // Quick is enough to see how it stands to what is nearest.
            let near = ["whodunit", "bare", "nginx"];
            let asked = |started: &&Started| !self.quick || near.contains(&started.name);
            for started in running.iter().filter(asked) {
                figures.floods.push(flood::measure(started, self.seconds)?);
            }
        }
        Ok(figures)
    }

    fn sample(
        &self,
        scene: &Scene,
        started: &Started,
        place: &load::Place,
        round: u32,
    ) -> Result<Sample, String> {
        started.forget_peak();
        let before = started.cpu();
        let outcome = scene.load.run(place, self.seconds)?;
        let cpu = started.cpu().saturating_sub(before);
        scene.judge(&outcome).map_err(|why| format!("{}, {}: {why}", started.name, scene.name))?;
        Ok(Sample::new(scene.name, started.name, round, cpu, &outcome, started.memory().peak))
    }
}

/// The project's folder.
fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
