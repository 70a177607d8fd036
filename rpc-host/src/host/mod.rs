//! [`Host`]: the workers of a process, from their configuration to their end.

mod listen;
mod routes;
mod running;
mod start;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use running::Running;

use crate::config::{Config, problem};
use crate::entrypoint::Class;
use crate::problem::{Problem, StartError};
use crate::worker::Worker;

/// The workers of a process, about to be started.
///
/// ```no_run
/// # use farcall_core as _;
/// # async fn example<Greeter: farcall_host::Worker>() -> Result<(), Box<dyn std::error::Error>> {
/// farcall_host::Host::from_file("farcall.toml")?.worker::<Greeter>().run().await?;
/// # Ok(()) }
/// ```
pub struct Host {
    configs: Vec<Config>,
    /// The entrypoints of each, once they are known.
    classes: Vec<Option<Vec<Class>>>,
    problems: Vec<Problem>,
    variables: Variables,
}

/// Finds an environment variable.
type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.configs.iter().map(|config| &config.said.name);
        f.debug_list().entries(names).finish()
    }
}

impl Host {
    /// A host with the worker of this configuration file.
    ///
    /// # Errors
    /// The file cannot be read, or is no configuration.
    pub fn from_file(file: impl AsRef<Path>) -> Result<Self, StartError> {
        Self::from_files([file])
    }

    /// A host with the workers of several files.
    ///
    /// # Errors
    /// Some of the files cannot be read, or are no configurations: says so of all of them.
    pub fn from_files<F: AsRef<Path>>(files: impl IntoIterator<Item = F>) -> Result<Self, StartError> {
        Self::of(files.into_iter().map(|file| Config::read(file.as_ref())))
    }

    /// A host with the workers of these configurations, each with the name by which errors call it.
    ///
    /// # Errors
    /// Some of them are no configurations: says so of all of them.
    pub fn from_texts<'a>(
        configurations: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, StartError> {
        Self::of(configurations.into_iter().map(|(file, text)| Config::parse(Path::new(file), text)))
    }

    fn of(read: impl Iterator<Item = Result<Config, Problem>>) -> Result<Self, StartError> {
        let (mut configs, mut problems) = (Vec::new(), Vec::new());
        for config in read {
            match config {
                Ok(config) => configs.push(config),
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return Err(StartError::new(problems));
        }
        let classes = configs.iter().map(|_| None).collect();
        let variables: Variables = Arc::new(|name| std::env::var(name).ok());
        Ok(Self { configs, classes, problems, variables })
    }

    /// The entrypoints of the sole worker of this host: one, or a tuple of them.
    #[must_use]
    pub fn worker<W: Worker>(mut self) -> Self {
        if self.configs.len() == 1 {
            self.give(0, W::classes().0);
            return self;
        }
        let text =
            "there are several workers: say which one has these entrypoints, with `worker_of(\"name\")`";
        self.misuse(text.to_owned());
        self
    }

    /// The entrypoints of the worker of this name: one, or a tuple of them.
    #[must_use]
    pub fn worker_of<W: Worker>(mut self, name: &str) -> Self {
        match self.configs.iter().position(|config| config.said.name == name) {
            Some(at) => self.give(at, W::classes().0),
            None => self.misuse(format!("no configuration has the name `{name}`")),
        }
        self
    }

    /// Reads these variables where it would read those of the process: for tests.
    #[must_use]
    pub fn environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let variables: HashMap<String, String> = variables.into_iter().collect();
        self.variables = Arc::new(move |name| variables.get(name).cloned());
        self
    }

    fn give(&mut self, at: usize, classes: Vec<Class>) {
        match self.classes.get_mut(at) {
            Some(given @ None) => *given = Some(classes),
            _ => self.misuse("the entrypoints of one worker are given twice".to_owned()),
        }
    }

    /// The program itself is wrong, not a file.
    fn misuse(&mut self, text: String) {
        let file = self.configs.first().map_or_else(PathBuf::new, |config| config.file.clone());
        self.problems.push(problem(&file, "", text));
    }
}
