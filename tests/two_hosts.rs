//! `examples/two_hosts`, started as a new user would start it: two processes with two files and a binding between them.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

/// The program. Cargo builds it beside the tests, unless it was asked for some of them only.
fn program() -> PathBuf {
    static BUILT: Once = Once::new();
    let tests = std::env::current_exe().unwrap();
    let program = tests.ancestors().nth(2).unwrap().join("examples/two_hosts");
    BUILT.call_once(|| {
        if !program.exists() {
            let build = ["build", "--example", "two_hosts", "--features", "host", "--target-dir"];
            let target = tests.ancestors().nth(3).unwrap();
            assert!(Command::new(env!("CARGO")).args(build).arg(target).status().unwrap().success());
        }
    });
    program
}

fn host(role: &str, file: &Path) -> Child {
    Command::new(program()).args([role, file.to_str().unwrap()]).stderr(Stdio::piped()).spawn().unwrap()
}

fn call(address: &str, name: &str) -> Output {
    Command::new(program()).args(["call", address, name]).output().unwrap()
}

/// Waits, for ten seconds at most.
fn until(holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(10), "it has not come to hold within ten seconds");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Tells a host to stop; it ends by itself.
fn stop(mut host: Child) -> String {
    let killed = Command::new("kill").args(["-TERM", &host.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let begun = Instant::now();
    while host.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_secs(20) {
            host.kill().unwrap();
            panic!("it does not stop");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let output = host.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// The example's file, with sockets of this test's own in it.
fn file(folder: &Path, name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/two_hosts");
    let text = fs::read_to_string(root.join(name)).unwrap();
    let here = folder.display();
    let text = text.replace("/tmp/farcall-counter.sock", &format!("{here}/counter.sock"));
    let text = text.replace("tcp://127.0.0.1:7000", &format!("unix:{here}/front.sock"));
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn two_processes_with_a_binding_between_them() {
    let folder = std::env::temp_dir().join(format!("farcall-two-hosts-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (counter_file, front_file) = (file(&folder, "counter.toml"), file(&folder, "front.toml"));
    let (counter_socket, front_socket) = (folder.join("counter.sock"), folder.join("front.sock"));
    let address = format!("unix:{}", front_socket.display());

    let front = host("front", &front_file);
    until(|| front_socket.exists());
    // The other host is not there yet: the call fails, and says what it could not reach.
    let refused = call(&address, "Ann");
    assert!(!refused.status.success());
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("`counter` could not be reached at unix:"), "{said}");

    for _ in 0..2 {
        let counter = host("counter", &counter_file);
        until(|| counter_socket.exists());
        let greeted = call(&address, "Ann");
        assert!(greeted.status.success(), "{greeted:?}");
        assert_eq!(String::from_utf8(greeted.stdout).unwrap(), "Hello, Ann, you are number 42\n");
        stop(counter);
        assert!(!counter_socket.exists());
    }
    let said = stop(front);
    assert_eq!(said.matches("greeted Ann").count(), 2, "{said}");
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn host_that_cannot_start_says_why_and_fails() {
    let folder = std::env::temp_dir().join(format!("farcall-no-start-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("front.toml");
    fs::write(&file, "name = \"front\"\n").unwrap();
    let output = Command::new(program()).args(["front", file.to_str().unwrap()]).output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("vars.greeting: the variable is missing") && said.contains("services: "), "{said}");
    fs::remove_dir_all(&folder).unwrap();
}
