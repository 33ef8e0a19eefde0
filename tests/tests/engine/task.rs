//! The engine's task as Terraform defines it: its very command and environment, read from the plan, as a process of this machine.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use weir_tests::{Checkout, Emulator, free_ports, weir};

use crate::until;

/// What the plan of an environment says of the engine's one container.
pub(crate) struct Definition {
    container: Value,
}

impl Definition {
    /// Plans, and reads the plan's JSON.
    pub(crate) fn planned(checkout: &Checkout, emulator: &Emulator) -> Self {
        let data = checkout.file(".weir/plan");
        let terraform = |arguments: &[&str]| {
            let output = Command::new("terraform")
                .arg(format!("-chdir={}", checkout.file("terraform").display()))
                .args(arguments)
                .env("TF_DATA_DIR", &data)
                .env("CHECKPOINT_DISABLE", "1")
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            output.stdout
        };
        let init = Command::new(checkout.file("scripts/terraform-init.sh")).env("TF_DATA_DIR", &data).output().unwrap();
        assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
        let (plan, endpoint) = (checkout.file("plan"), format!("endpoint_url={}", emulator.endpoint()));
        let out = format!("-out={}", plan.display());
        terraform(&["plan", "-input=false", "-no-color", "-var-file=e2e.tfvars", "-var", &endpoint, &out]);
        let shown: Value = serde_json::from_slice(&terraform(&["show", "-json", plan.to_str().unwrap()])).unwrap();
        let modules = shown["planned_values"]["root_module"]["child_modules"].as_array().unwrap();
        let engine = modules.iter().find(|module| module["address"] == "module.engine[0]").expect("no module.engine");
        let resources = engine["resources"].as_array().unwrap();
        let task = resources.iter().find(|resource| resource["type"] == "aws_ecs_task_definition").unwrap();
        let containers: Value =
            serde_json::from_str(task["values"]["container_definitions"].as_str().unwrap()).unwrap();
        let [container] = &containers.as_array().unwrap()[..] else { panic!("one container: {containers}") };
        Self { container: container.clone() }
    }

    fn words(of: &Value, port: u16) -> Vec<String> {
        // Two tasks on one machine cannot have one port.
        of.as_array().unwrap().iter().map(|word| word.as_str().unwrap().replace("9464", &port.to_string())).collect()
    }

    fn environment(&self) -> Vec<(String, String)> {
        let pairs = self.container["environment"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        pairs.map(|pair| (text(&pair["name"]), text(&pair["value"]))).collect()
    }
}

/// A task that runs; dropping it kills it.
pub(crate) struct Task {
    process: Child,
    log: PathBuf,
    health: Vec<String>,
}

impl Task {
    /// Starts one, with what a task's role would give. `endpoint`, where it stands in for the emulator's.
    pub(crate) fn start(definition: &Definition, folder: &Path, name: &str, endpoint: Option<&str>) -> Self {
        let [port] = free_ports().unwrap();
        let container = &definition.container;
        let entry = Definition::words(&container["entryPoint"], port);
        assert_eq!(entry, ["/usr/local/bin/weir"], "what the image has");
        let log = folder.join(format!("{name}.log"));
        let file = fs::File::create(&log).unwrap();
        let command: Vec<String> = Definition::words(&container["command"], port);
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let mut process = weir(&command);
        process
            .current_dir(folder)
            .env_clear()
            .envs(definition.environment())
            .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")])
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file);
        if let Some(endpoint) = endpoint {
            process.env("AWS_ENDPOINT_URL", endpoint);
        }
        let health = Definition::words(&container["healthCheck"]["command"], port);
        assert_eq!(health.first().map(String::as_str), Some("CMD"));
        Self { process: process.spawn().unwrap(), log, health: health.get(2..).unwrap().to_vec() }
    }

    /// The container's own health check.
    pub(crate) fn is_well(&self) -> bool {
        let check: Vec<&str> = self.health.iter().map(String::as_str).collect();
        weir(&check).output().unwrap().status.success()
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().unwrap()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// As the machine's end would.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// As ECS does, and how it ended.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        kill(Pid::from_raw(i32::try_from(self.process.id()).unwrap()), Signal::SIGTERM).unwrap();
        until("the task ends", || self.process.try_wait().unwrap())
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
