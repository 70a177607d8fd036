//! Starting a host: everything that can be wrong is looked for before anything is said.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use super::listen::Bound;
use super::{Host, Running};
use crate::config::{Config, Listen, problem};
use crate::ctx::GRACE;
use crate::entrypoint::Class;
use crate::env::{EnvReader, Source};
use crate::problem::{Problem, StartError};
use crate::site::{Site, WorkerAt, WorkerSite};

impl Host {
    /// Reads the environments, checks the bindings, and serves. It runs until [`Running::shutdown`].
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub async fn start(mut self) -> Result<Running, StartError> {
        let mut problems = std::mem::take(&mut self.problems);
        let workers = self.workers(&mut problems);
        let grace = self.configs.iter().filter_map(Config::grace).max().unwrap_or(GRACE);
        let site = Site::new(workers, grace);
        self.read_environments(&site, &mut problems);
        let bound = self.bind(&site, &mut problems).await;
        if !problems.is_empty() {
            return Err(StartError::new(problems));
        }
        for worker in site.workers() {
            let entrypoints: Vec<&str> = worker.classes.iter().map(|class| class.name).collect();
            tracing::info!(service = worker.name, ?entrypoints, "a worker has started");
        }
        Ok(Running::new(site, bound))
    }

    /// Runs until the process is told to stop (SIGTERM, SIGINT), and then until all that runs has ended or had its grace.
    ///
    /// # Errors
    /// Everything that keeps it from starting, at once.
    pub async fn run(self) -> Result<(), StartError> {
        // Before anything is served: a signal that comes from now on is not lost.
        let stop = super::running::signalled(&self.configs)?;
        let running = self.start().await?;
        let signal = stop.await;
        tracing::info!(signal, "the host stops");
        running.shutdown().await;
        Ok(())
    }

    fn workers(&mut self, problems: &mut Vec<Problem>) -> Vec<WorkerSite> {
        let mut workers = Vec::new();
        let mut names = HashSet::new();
        for (config, classes) in self.configs.iter().zip(&mut self.classes) {
            let name = config.said.name.clone();
            if !names.insert(name.clone()) {
                problems.push(problem(
                    &config.file,
                    "name",
                    format!("there are two workers of the name `{name}`"),
                ));
            }
            let classes = classes.take().unwrap_or_else(|| {
                let text = format!(
                    "the program gives no entrypoints for `{name}`: call `worker_of::<…>(\"{name}\")`"
                );
                problems.push(problem(&config.file, "name", text));
                Vec::new()
            });
            check_classes(config, &classes, problems);
            workers.push(WorkerSite { name, classes, bindings: OnceLock::new(), envs: OnceLock::new() });
        }
        workers
    }

    fn read_environments(&self, site: &Arc<Site>, problems: &mut Vec<Problem>) {
        for ((at, config), worker) in self.configs.iter().enumerate().zip(site.workers()) {
            let worker_at = WorkerAt(at);
            let make = || crate::binding::Source::new(site, worker_at, config.file.clone());
            let props = Arc::clone(worker.bindings.get_or_init(make));
            let source = Source { config, site, worker: worker_at, props, variables: &*self.variables };
            let mut envs = HashMap::new();
            for class in &worker.classes {
                if envs.contains_key(&class.env) {
                    continue;
                }
                let mut found = Vec::new();
                let env = (class.read_env)(&mut EnvReader::new(&source, &mut found));
                // Two environments of one worker may have a field in common.
                found.retain(|problem| !problems.contains(problem));
                problems.append(&mut found);
                if let Some(env) = env {
                    envs.insert(class.env, env);
                }
            }
            if worker.envs.set(envs).is_err() {
                problems.push(problem(&config.file, "", "the worker was started already".to_owned()));
            }
        }
    }

    /// Where the file says to serve, or an environment variable in its place, with commas between.
    fn listens(&self, config: &Config) -> Vec<Listen> {
        match (self.variables)(&format!("{}_LISTEN", config.override_name(""))) {
            Some(text) => text.split(',').map(|address| Listen::Address(address.trim().to_owned())).collect(),
            None => config.said.listen.clone(),
        }
    }

    async fn bind(&self, site: &Arc<Site>, problems: &mut Vec<Problem>) -> Vec<Bound> {
        let mut bound = Vec::new();
        for config in &self.configs {
            for listen in &self.listens(config) {
                match Bound::bind(listen, &config.file, site).await {
                    Ok(listener) => bound.push(listener),
                    Err(text) => {
                        let key = format!("listen \"{}\"", listen.address());
                        problems.push(problem(&config.file, &key, text));
                    }
                }
            }
        }
        bound
    }
}

fn check_classes(config: &Config, classes: &[Class], problems: &mut Vec<Problem>) {
    let mut names = HashSet::new();
    for class in classes {
        if class.name.is_empty() || class.name.contains('/') || !names.insert(class.name) {
            let text = format!(
                "`{}` is no name for an entrypoint here: it is taken, empty or has a `/`",
                class.name
            );
            problems.push(problem(&config.file, "name", text));
        }
    }
    let defaults: Vec<&str> =
        classes.iter().filter(|class| class.is_default).map(|class| class.name).collect();
    if defaults.len() > 1 {
        let text = format!("`{}` has several default entrypoints: {}", config.said.name, defaults.join(", "));
        problems.push(problem(&config.file, "name", text));
    }
}
