//! [`EnvReader`]: reads the fields of an environment, and lists what is wrong with them.

use std::sync::Arc;

use farcall_core::stub::Stub;
use serde::de::DeserializeOwned;

use super::override_value::{from_nothing, from_text};
use super::{Env, EnvField};
use crate::config::{Config, problem};
use crate::problem::Problem;
use crate::props::Props;
use crate::service::{Service, ServiceAt};
use crate::site::{Site, WorkerAt};

/// Where the environments of one worker are read from.
pub(crate) struct Source<'a> {
    pub(crate) config: &'a Config,
    pub(crate) site: &'a Arc<Site>,
    pub(crate) worker: WorkerAt,
    /// For the bindings in its props.
    pub(crate) props: Arc<crate::binding::Source>,
    /// Finds an environment variable of the process.
    pub(crate) variables: &'a dyn Fn(&str) -> Option<String>,
}

/// Reads the fields of an environment. `#[derive(Env)]` prints its calls.
#[allow(missing_debug_implementations, reason = "it is only lent")]
pub struct EnvReader<'a> {
    source: &'a Source<'a>,
    problems: &'a mut Vec<Problem>,
    /// The names of the groups around.
    groups: Vec<&'static str>,
}

impl<'a> EnvReader<'a> {
    pub(crate) fn new(source: &'a Source<'a>, problems: &'a mut Vec<Problem>) -> Self {
        Self { source, problems, groups: Vec::new() }
    }

    /// Reads a field.
    pub fn field<T: EnvField<Kind>, Kind>(&mut self, name: &'static str) -> Option<T> {
        T::read_field(self, name)
    }

    /// Reads a group of fields.
    pub(super) fn group<E: Env>(&mut self, name: &'static str) -> Option<E> {
        self.groups.push(name);
        let group = E::read(self);
        self.groups.pop();
        group
    }

    /// `group.name`
    fn path(&self, name: &str) -> String {
        let names: Vec<&str> = self.groups.iter().copied().chain([name]).collect();
        names.join(".")
    }

    fn report(&mut self, key: &str, text: String) {
        self.problems.push(problem(&self.source.config.file, key, text));
    }

    /// The value under `[vars]`, with the name as it stands there.
    fn find_variable(&self, name: &str) -> Result<Option<(String, &'a toml::Value)>, String> {
        let mut table = &self.source.config.said.vars;
        let mut path = vec!["vars".to_owned()];
        for group in &self.groups {
            let Some((found, value)) = find(table, group)? else { return Ok(None) };
            path.push(found.to_owned());
            match value {
                toml::Value::Table(inner) => table = inner,
                _ => return Err(format!("`{}` is a group of variables: write a table", path.join("."))),
            }
        }
        let found = find(table, name)?;
        Ok(found.map(|(found, value)| {
            path.push(found.to_owned());
            (path.join("."), value)
        }))
    }

    /// Reads a variable: from an environment variable of the process, else from the file.
    pub(super) fn variable<T: DeserializeOwned>(&mut self, name: &'static str) -> Option<T> {
        let path = self.path(name);
        let override_name = self.source.config.override_name(&path);
        if let Some(text) = (self.source.variables)(&override_name) {
            return match from_text(&text) {
                Ok(value) => Some(value),
                Err(error) => {
                    self.report(
                        &override_name,
                        format!("this environment variable does not fit: {}", error.trim_end()),
                    );
                    None
                }
            };
        }
        match self.find_variable(name) {
            Ok(Some((key, value))) => match T::deserialize(value.clone()) {
                Ok(value) => Some(value),
                Err(error) => {
                    self.report(&key, error.to_string().trim_end().to_owned());
                    None
                }
            },
            Ok(None) => from_nothing().or_else(|| {
                let text = format!("the variable is missing: write it here, or set {override_name}");
                self.report(&format!("vars.{path}"), text);
                None
            }),
            Err(text) => {
                self.report(&format!("vars.{path}"), text);
                None
            }
        }
    }

    pub(super) fn missing_binding(&mut self, name: &'static str) {
        let path = self.path(name);
        let text =
            format!("the binding is missing: write `{{ binding = \"{path}\", service = \"…\" }}` here");
        self.report("services", text);
    }

    /// Reads a binding: `Some(None)` if there is none of this name, `None` if there is something wrong with it.
    pub(super) fn binding<S: Stub>(&mut self, name: &'static str) -> Option<Option<Service<S>>> {
        let path = self.path(name);
        let source = self.source;
        let mut found = source.config.said.services.iter().filter(|binding| same(&binding.binding, &path));
        let Some(binding) = found.next() else { return Some(None) };
        let key = format!("services.{}", binding.binding);
        if found.next().is_some() {
            self.report(&key, "there are two bindings of this name".to_owned());
            return None;
        }
        let override_name = format!("{}__ADDRESS", source.config.override_name(&path));
        let addresses = match (source.variables)(&override_name) {
            Some(text) => text.split(',').map(|address| address.trim().to_owned()).collect(),
            None => binding.address.as_ref().map(|addresses| addresses.list()).unwrap_or_default(),
        };
        let at = if addresses.is_empty() {
            let misfits = source.site.misfits(
                (&binding.service, binding.entrypoint.as_deref()),
                S::interface(),
                &Props::from_table(&binding.props, &source.props),
            );
            if !misfits.is_empty() {
                misfits.into_iter().for_each(|text| self.report(&key, text));
                return None;
            }
            let site = Arc::downgrade(source.site);
            ServiceAt::local(site, source.worker, binding.service.clone(), binding.entrypoint.clone())
        } else {
            let name = (binding.service.as_str(), binding.entrypoint.as_deref());
            let certificates = binding.certificates(&source.config.file);
            let checked = source.site.remote(name, addresses, certificates);
            match checked {
                Ok(at) => at,
                Err(text) => {
                    self.report(&key, text);
                    return None;
                }
            }
        };
        Some(Some(Service::new(at, Props::from_table(&binding.props, &source.props))))
    }
}

/// Whether a name of a file is that of a field: `COUNTER_SERVICE` is `counter_service`.
fn same(written: &str, field: &str) -> bool {
    written.eq_ignore_ascii_case(field)
}

/// The entry of a table with this name, in small letters or in capitals.
fn find<'t>(table: &'t toml::Table, name: &str) -> Result<Option<(&'t str, &'t toml::Value)>, String> {
    let mut found = table.iter().filter(|(written, _)| same(written, name));
    match (found.next(), found.next()) {
        (Some((first, _)), Some((second, _))) => {
            Err(format!("`{first}` and `{second}` are the same variable: leave one of them out"))
        }
        (first, _) => Ok(first.map(|(name, value)| (name.as_str(), value))),
    }
}
