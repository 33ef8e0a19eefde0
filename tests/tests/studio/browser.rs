//! A headless Chromium, spoken to in its DevTools protocol over two pipes: no port, no driver, nothing but the browser.
//! <https://chromedevtools.github.io/devtools-protocol/>; with `--remote-debugging-pipe` it reads from descriptor 3 and writes to 4,
//! each message ended by a zero byte.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A busy machine is slow; on an idle one nothing here takes more than seconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(25);

/// Where Debian and others have it.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// The browser, where there is one: `WEIR_CHROMIUM` names another.
fn chromium() -> Option<String> {
    let named = std::env::var("WEIR_CHROMIUM").ok();
    let found = |name: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
    };
    named.or_else(|| NAMES.iter().find(|name| found(name)).map(|name| (*name).to_owned()))
}

/// A tab of a browser of its own.
pub(crate) struct Browser {
    child: Child,
    input: ChildStdin,
    said: Receiver<Value>,
    next: u64,
    session: Option<String>,
    /// Errors of the page's console.
    pub(crate) errors: Vec<String>,
    /// What it asked for.
    pub(crate) requests: Vec<String>,
    _profile: TempDir,
}

impl Browser {
    /// Starts one; `None`, with a line that says so, where there is none on this machine.
    pub(crate) fn start() -> Option<Self> {
        let Some(chromium) = chromium() else {
            eprintln!("skipped: no Chromium on this machine (apt-get install chromium)");
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        // As descriptors 3 and 4 it wants what a child has as 0 and 1: a shell moves them.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1", &chromium])
            .args(["--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-quic"])
            .args(["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--disable-dev-shm-usage", "--hide-scrollbars", "--force-color-profile=srgb", "--mute-audio"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = child.stdout.take().unwrap();
        let (sender, said) = mpsc::channel();
        thread::spawn(move || {
            for message in BufReader::new(output).split(0) {
                let Ok(message) = message else { return };
                let Ok(message) = serde_json::from_slice(&message) else { continue };
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let (errors, requests) = (Vec::new(), Vec::new());
        let mut browser = Self { child, input, said, next: 0, session: None, errors, requests, _profile: profile };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attached =
            browser.call("Target.attachToTarget", json!({ "targetId": target["targetId"], "flatten": true }));
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser.size(1440, 1000);
        Some(browser)
    }

    /// Asks, and waits for the answer.
    pub(crate) fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.next += 1;
        let id = self.next;
        let mut message = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.input.write_all(message.to_string().as_bytes()).unwrap();
        self.input.write_all(&[0]).unwrap();
        self.input.flush().unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = self.said.recv_timeout(left).unwrap_or_else(|e| panic!("{method}: {e}"));
            if message["id"] == json!(id) {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
            self.hear(&message);
        }
    }

    fn hear(&mut self, message: &Value) {
        let parameters = &message["params"];
        match message["method"].as_str() {
            Some("Runtime.exceptionThrown") => {
                self.errors.push(parameters["exceptionDetails"]["exception"]["description"].to_string());
            }
            Some("Runtime.consoleAPICalled") if parameters["type"] == "error" => {
                self.errors.push(parameters["args"].to_string());
            }
            Some("Log.entryAdded") if parameters["entry"]["level"] == "error" => {
                self.errors.push(format!("{} {}", parameters["entry"]["text"], parameters["entry"]["url"]));
            }
            Some("Network.requestWillBeSent") => {
                self.requests.push(parameters["request"]["url"].as_str().unwrap_or_default().to_owned());
            }
            Some("Page.javascriptDialogOpening") => self.errors.push(format!("a dialog: {}", parameters["message"])),
            _ => {}
        }
    }

    /// Opens an address.
    pub(crate) fn open(&mut self, url: &str) {
        // The address alone would only move within the page where it differs behind the `#`.
        self.call("Page.navigate", json!({ "url": "about:blank" }));
        self.call("Page.navigate", json!({ "url": url }));
    }

    /// What an expression of the page gives.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", asked);
        let fault = &answer["exceptionDetails"];
        assert!(fault.is_null(), "{expression}: {}", fault["exception"]["description"]);
        answer["result"]["value"].clone()
    }

    /// Waits until an expression holds, and gives what it gives.
    pub(crate) fn wait(&mut self, expression: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        let safe = format!(
            "(() => {{ try {{ const found = ({expression}); return found instanceof Node ? true : found; }} catch {{ return null; }} }})()"
        );
        loop {
            let value = self.eval(&safe);
            let holds = !(value.is_null() || value == json!(false) || value == json!("") || value == json!(0));
            if holds {
                return value;
            }
            if Instant::now() > deadline {
                self.picture(&std::env::temp_dir().join("weir-studio-failed.png"));
                let picture = self.eval("document.querySelector('#picture')?.cloneNode().outerHTML ?? document.body.innerText.slice(0, 800)");
                panic!("not within {PATIENCE:?}: {expression}\n{picture}\n{:?}", self.errors);
            }
            thread::sleep(POLL);
        }
    }

    /// An attribute of what the rule would have found.
    pub(crate) fn picture_of(&mut self, name: &str) -> String {
        self.eval(&format!("document.querySelector('#picture')?.dataset.{name} ?? ''")).as_str().unwrap().to_owned()
    }

    /// Waits until the picture is of the draft, and gives how many anomalies it has.
    pub(crate) fn fresh(&mut self) -> usize {
        self.wait("document.querySelector('#picture')?.dataset.state === 'fresh'");
        self.picture_of("anomalies").parse().unwrap()
    }

    /// Waits until there is another evaluation than this one.
    pub(crate) fn fresh_after(&mut self, before: &str) -> usize {
        self.wait(&format!("document.querySelector('#picture').dataset.evaluation !== {before:?}"));
        self.fresh()
    }

    /// Waits until the chart shows the evaluation whose figures stand above it, with what was expected.
    pub(crate) fn drawn(&mut self) {
        self.fresh();
        self.wait("(({ drawn, evaluation, expected }) => drawn === evaluation && expected === 'known')(document.querySelector('#picture').dataset)");
        self.wait("document.querySelector('.chart .overlay')");
    }

    /// Clicks on the first element that a selector finds, as a mouse does.
    pub(crate) fn click(&mut self, selector: &str) {
        let place = self.wait(&format!(
            "(() => {{ const e = document.querySelector({selector:?}); if (!e || e.disabled) return null; e.scrollIntoView({{ block: 'center' }}); const b = e.getBoundingClientRect(); return b.width > 0 ? [b.left + b.width / 2, b.top + b.height / 2] : null; }})()"
        ));
        let (x, y) = (place[0].as_f64().unwrap(), place[1].as_f64().unwrap());
        self.drag((x, y), (x, y));
    }

    /// Presses the mouse in one place and lets it go in another.
    pub(crate) fn drag(&mut self, from: (f64, f64), to: (f64, f64)) {
        let mut mouse = |kind: &str, (x, y): (f64, f64), buttons: u8| {
            let button = if kind == "mouseMoved" && buttons == 0 { "none" } else { "left" };
            self.call(
                "Input.dispatchMouseEvent",
                json!({ "type": kind, "x": x, "y": y, "button": button, "buttons": buttons, "clickCount": 1 }),
            );
        };
        mouse("mouseMoved", from, 0);
        mouse("mousePressed", from, 1);
        if from != to {
            for step in 1..=4 {
                let at = |a: f64, b: f64| a + (b - a) * f64::from(step) / 4.0;
                mouse("mouseMoved", (at(from.0, to.0), at(from.1, to.1)), 1);
            }
        }
        mouse("mouseReleased", to, 0);
    }

    /// Types text where the focus is.
    pub(crate) fn insert(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Presses a key: `Tab`, `Enter`, `s`. Modifiers: 1 Alt, 2 Control, 8 Shift.
    pub(crate) fn key(&mut self, key: &str, modifiers: u8) {
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "Escape" => 27,
            "End" => 35,
            "ArrowLeft" => 37,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            _ => key.to_uppercase().bytes().next().map_or(0, i32::from),
        };
        let text = if key == "Enter" {
            "\r"
        } else if key.len() == 1 && modifiers & 2 == 0 {
            key
        } else {
            ""
        };
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { text } else { "" };
            let pressed = json!({
                "type": kind, "key": key, "modifiers": modifiers, "windowsVirtualKeyCode": code, "text": text,
                "code": if key.len() == 1 { format!("Key{}", key.to_uppercase()) } else { key.to_owned() },
            });
            self.call("Input.dispatchKeyEvent", pressed);
        }
    }

    /// Sets the value of a field as a person's input would.
    pub(crate) fn fill(&mut self, selector: &str, value: &str) {
        self.wait(&format!("document.querySelector({selector:?})"));
        self.eval(&format!(
            "(() => {{ const e = document.querySelector({selector:?}); const set = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(e), 'value').set; set.call(e, {value:?}); e.dispatchEvent(new Event('input', {{ bubbles: true }})); }})()"
        ));
    }

    /// Replaces a part of the text in the editor, as pasting does.
    pub(crate) fn replace(&mut self, old: &str, new: &str) {
        let text = self.text();
        assert!(text.contains(old), "{old} is not in the editor:\n{text}");
        self.click(".cm-content");
        self.key("a", 2);
        // Pasted: over a selection of coloured words, Chromium's own typing tries inline styles, which the policy refuses aloud.
        let text = serde_json::to_string(&text.replacen(old, new, 1)).unwrap();
        self.eval(&format!(
            "(() => {{ const clipboardData = new DataTransfer(); clipboardData.setData('text/plain', {text}); document.querySelector('.cm-content').dispatchEvent(new ClipboardEvent('paste', {{ clipboardData, bubbles: true, cancelable: true }})); }})()"
        ));
    }

    /// The text in the editor.
    pub(crate) fn text(&mut self) -> String {
        let lines = "[...document.querySelectorAll('.cm-line')].map((line) => line.textContent).join('\\n')";
        self.wait("document.querySelector('.cm-line')");
        self.eval(lines).as_str().unwrap().to_owned()
    }

    /// Sets the size of the window.
    pub(crate) fn size(&mut self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    /// Takes a picture.
    pub(crate) fn picture(&mut self, file: &std::path::Path) {
        let shot = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        let bytes = weir_anomaly::base64_bytes(shot["data"].as_str().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }

    /// The page complained of nothing and asked nobody but its own server.
    pub(crate) fn is_clean(&mut self, own: &str) {
        self.eval("1");
        assert_eq!(self.errors, [""; 0]);
        let foreign: Vec<&String> = self
            .requests
            .iter()
            .filter(|url| !url.starts_with(own) && !url.starts_with("data:") && !url.starts_with("about:"))
            .collect();
        assert!(foreign.is_empty(), "{foreign:?}");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
