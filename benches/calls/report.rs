//! Runs the sides of each workload in turn and prints one row for each workload.

use std::time::Duration;

use crate::args::Options;
use crate::measure::{Plan, Sample};
use crate::workload::{Side, Workload};
use crate::{Outcome, process};

/// Runs all chosen workloads and prints a row as soon as it is known.
pub(crate) fn compare(options: &Options) -> Outcome<()> {
    if !options.json {
        print_header(options);
    }
    for workload in &options.workloads {
        let row = Row::measure(workload, options)?;
        if options.json {
            println!("{}", row.json());
        } else {
            println!("{}", row.text());
        }
    }
    Ok(())
}

/// The samples of one workload, a round after the other.
struct Row<'w> {
    workload: &'w Workload,
    farcall: Vec<Sample>,
    limit: Vec<Sample>,
}

impl<'w> Row<'w> {
    /// Takes the samples. The sides take turns, and which begins changes from round to round: a machine that
    /// gets slower or faster meanwhile does so for both.
    fn measure(workload: &'w Workload, options: &Options) -> Outcome<Self> {
        let plan = Plan { warm_up: options.warm_up, measured: options.measured, server: None };
        let mut row = Self { workload, farcall: Vec::new(), limit: Vec::new() };
        let mut order = options.sides.clone();
        for _ in 0..options.rounds {
            for &side in &order {
                let sample = process::run(workload, side, &plan)?;
                match side {
                    Side::Farcall => row.farcall.push(sample),
                    Side::Limit => row.limit.push(sample),
                }
            }
            order.reverse();
        }
        Ok(row)
    }

    fn time(&self, samples: &[Sample]) -> Option<f64> {
        median(samples.iter().map(Sample::nanos_per_call)).map(|nanos| nanos / self.workload.unit.nanos())
    }

    fn cpu_micros(samples: &[Sample]) -> Option<f64> {
        median(samples.iter().filter_map(|sample| Some(per_call(sample.cpu?, sample.calls) / 1e3)))
    }

    fn ratio(&self) -> Option<f64> {
        Some(self.time(&self.farcall)? / self.time(&self.limit)?)
    }

    /// The least and the greatest ratio within a round.
    fn spread(&self) -> Option<(f64, f64)> {
        let rounds = self.farcall.iter().zip(&self.limit);
        let ratios = rounds.map(|(farcall, limit)| farcall.nanos_per_call() / limit.nanos_per_call());
        ratios.fold(None, |spread, ratio| {
            let (least, greatest) = spread.unwrap_or((ratio, ratio));
            Some((ratio.min(least), ratio.max(greatest)))
        })
    }

    fn json(&self) -> String {
        format!(
            r#"{{"workload":"{}","farcall":{},"limit":{},"unit":"{}","ratio":{},"cpu_us_per_call":{}}}"#,
            self.workload.name,
            number_or(self.time(&self.farcall), "null"),
            number_or(self.time(&self.limit), "null"),
            self.workload.unit.name(),
            number_or(self.ratio(), "null"),
            number_or(Self::cpu_micros(&self.farcall), "null"),
        )
    }

    fn text(&self) -> String {
        let spread = self.spread().map(|(least, greatest)| format!("{least:.2}-{greatest:.2}"));
        let (farcall_cpu, limit_cpu) = (Self::cpu_micros(&self.farcall), Self::cpu_micros(&self.limit));
        let unpinned = self.workload.one_core && !process::can_pin();
        format!(
            "{:<17} {:>10} {:>10} {:<10} {:>7} {:>11} {:>10} {:>10} {:>7}{}",
            self.workload.name,
            number_or(self.time(&self.farcall), "-"),
            number_or(self.time(&self.limit), "-"),
            self.workload.unit.name(),
            times_or(self.ratio(), "-"),
            spread.as_deref().unwrap_or("-"),
            number_or(farcall_cpu, "-"),
            number_or(limit_cpu, "-"),
            times_or(farcall_cpu.zip(limit_cpu).map(|(farcall, limit)| farcall / limit), "-"),
            if unpinned { "  not held on one core: no taskset" } else { "" },
        )
    }
}

impl Sample {
    fn nanos_per_call(&self) -> f64 {
        per_call(self.elapsed, self.calls)
    }
}

fn per_call(span: Duration, calls: u64) -> f64 {
    span.as_nanos() as f64 / calls.max(1) as f64
}

fn print_header(options: &Options) {
    println!("Medians of {} rounds of {} ms; less is better.", options.rounds, options.measured.as_millis());
    println!("ratio: how many times slower than the limit, and the least and greatest within a round.");
    println!(
        "CPU: microseconds per call in both processes; its ratio is the steadier one on a busy machine.\n"
    );
    println!(
        "{:<17} {:>10} {:>10} {:<10} {:>7} {:>11} {:>10} {:>10} {:>7}",
        "workload", "farcall", "limit", "unit", "ratio", "in a round", "CPU", "limit CPU", "ratio",
    );
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some((lower + upper) / 2.0)
}

/// A figure with three digits after the point, or a word where there is none.
fn number_or(value: Option<f64>, none: &str) -> String {
    value.map_or_else(|| none.to_owned(), |value| format!("{value:.3}"))
}

fn times_or(ratio: Option<f64>, none: &str) -> String {
    ratio.map_or_else(|| none.to_owned(), |ratio| format!("{ratio:.2}x"))
}
