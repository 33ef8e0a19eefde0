//! Writing a rule.

use std::fs;

use serde_json::{Value, json};
use weir_tests::{repo, weir};

use super::{MEAN, Project, RULE, TESTS, browser::Browser, page};

#[test]
fn the_page_comes_up_with_what_the_rule_would_have_found() {
    let Some((project, mut browser)) = page("#rule=hot") else { return };
    assert_eq!(browser.eval("document.title"), json!("Weir studio"));
    let found = browser.fresh();
    browser.wait("document.querySelector('#picture').dataset.drawn");
    let of_key = browser.eval("document.querySelectorAll('path.mark[data-id]').length").as_u64().unwrap();
    assert!(found > 0 && of_key > 0 && of_key <= found as u64);
    assert!(browser.eval("document.querySelectorAll('rect.label[id]').length").as_u64().unwrap() > 0);
    assert_eq!(browser.eval("document.querySelectorAll('g.flag[data-alert=sent]').length > 0"), json!(true));
    // What is drawn on the canvas stands in a table too.
    let listed = browser.eval("document.querySelectorAll('.anomalies tbody tr').length").as_u64().unwrap();
    assert_eq!(listed, of_key.min(200));
    let paint = browser.eval("performance.getEntriesByName('first-paint')[0]?.startTime ?? 0").as_f64().unwrap();
    assert!(paint < 2000.0, "the first paint took {paint} ms");
    browser.is_clean(project.origin());
}

#[test]
fn typing_evaluates_the_draft_and_nothing_is_written_before_it_is_saved() {
    let Some((project, mut browser)) = page("#rule=hot") else { return };
    let (all, before) = (browser.fresh(), browser.picture_of("evaluation"));
    browser.replace("value > ${limit}", "value > ${limit} - 20.0");
    let more = browser.fresh_after(&before);
    assert!(more > all, "{more} {all}");
    assert_eq!(fs::read_to_string(project.file("sql/rules/hot.sql")).unwrap(), RULE);
    browser.click("[data-file=changes]");
    browser.wait("document.querySelectorAll('#difference [data-sign=\"+\"]').length === 1");
    browser.click("[data-file=rule]");
    browser.click(".cm-content");
    browser.key("s", 2);
    browser.wait("document.querySelector('#note').textContent.includes('is saved')");
    assert!(fs::read_to_string(project.file("sql/rules/hot.sql")).unwrap().contains("> ${limit} - 20.0"));
    browser.is_clean(project.origin());
}

#[test]
fn a_fault_is_marked_at_its_place_over_the_last_good_picture() {
    let Some((project, mut browser)) = page("#rule=hot") else { return };
    let found = browser.fresh();
    browser.replace("value > ${limit}", "valve > ${limit}");
    browser.wait("document.querySelector('#picture').dataset.state === 'invalid'");
    browser.wait("document.querySelector('#findings').dataset.errors === '1'");
    browser.wait("document.querySelectorAll('.cm-lintRange-error').length === 1");
    assert_eq!(browser.eval("document.querySelector('.cm-lintRange-error').textContent"), json!("valve"));
    assert_eq!(browser.picture_of("anomalies"), found.to_string(), "the last good picture stays");
    browser.wait("document.querySelector('#last-good') && document.querySelector('#invalid').textContent.includes('sql/rules/hot.sql:16')");
    let before = browser.picture_of("evaluation");
    browser.replace("valve", "value");
    assert_eq!(browser.fresh_after(&before), found);
    browser.is_clean(project.origin());
}

#[test]
fn a_slider_moves_a_parameter_and_keeping_it_writes_the_default() {
    let Some((project, mut browser)) = page("#rule=hot") else { return };
    let (all, before) = (browser.fresh(), browser.picture_of("evaluation"));
    browser.fill("[data-parameter=limit]", "70");
    let more = browser.fresh_after(&before);
    assert!(more > all);
    assert!(browser.eval("location.hash").as_str().unwrap().contains("set.limit=70"));
    browser.click("[data-keep=limit]");
    browser.wait("document.querySelector('.cm-content').textContent.includes('default = 70.0')");
    browser.wait("!location.hash.includes('set.limit')");
    assert_eq!(browser.fresh(), more, "the same, now by the text");
    browser.is_clean(project.origin());
}

#[test]
fn a_comparison_shows_what_is_gained_and_what_is_lost() {
    let Some((project, mut browser)) = page("#rule=hot&compare=1&set.limit=70") else { return };
    browser.wait("Number(document.querySelector('#picture').dataset.gained) > 0");
    assert_eq!(browser.picture_of("lost"), "0");
    browser.wait("document.querySelectorAll('path.mark[data-change=gained]').length > 0");
    let before = browser.picture_of("evaluation");
    browser.fill("[data-parameter=limit]", "150");
    browser.fresh_after(&before);
    browser.wait("Number(document.querySelector('#picture').dataset.lost) > 0");
    assert_eq!(browser.picture_of("gained"), "0");
    let colour = |browser: &mut Browser, change: &str| {
        browser.eval(&format!("getComputedStyle(document.querySelector('.legend .mark[data-change={change}]'))[{change:?} === 'lost' ? 'stroke' : 'fill']"))
    };
    assert_ne!(colour(&mut browser, "gained"), colour(&mut browser, "lost"));
    browser.is_clean(project.origin());
}

#[test]
fn a_file_that_another_editor_changed_is_asked_about_and_never_overwritten() {
    let Some((project, mut browser)) = page("#rule=hot") else { return };
    let file = project.file("sql/rules/hot.sql");
    // What is not changed here is simply read anew.
    fs::write(&file, RULE.replace("90.0", "91.0")).unwrap();
    browser.wait("document.querySelector('.cm-content').textContent.includes('91.0')");
    browser.replace("91.0", "92.0");
    fs::write(&file, RULE.replace("90.0", "93.0")).unwrap();
    browser.click(".cm-content");
    browser.key("s", 2);
    browser.wait("document.querySelector('#conflict')");
    assert!(fs::read_to_string(&file).unwrap().contains("93.0"), "theirs stays");
    browser.click("#take-theirs");
    browser.wait("document.querySelector('.cm-content').textContent.includes('93.0')");
    browser.replace("93.0", "94.0");
    fs::write(&file, RULE.replace("90.0", "95.0")).unwrap();
    browser.click("#save");
    browser.click("#keep-mine");
    browser.wait("document.querySelector('#note').textContent.includes('is saved')");
    assert!(fs::read_to_string(&file).unwrap().contains("94.0"));
    browser.is_clean(project.origin());
}

/// Selects a part of the chart with the mouse: shares of its width.
fn select(browser: &mut Browser, from: f64, to: f64) {
    let place = browser.wait("(() => { const o = document.querySelector('.u-over'); o.scrollIntoView({ block: 'center' }); const b = o.getBoundingClientRect(); return [b.left, b.width, b.top + b.height * 0.9]; })()");
    let at = |share: f64| place[0].as_f64().unwrap() + place[1].as_f64().unwrap() * share;
    let y = place[2].as_f64().unwrap();
    browser.drag((at(from), y), (at(to), y));
    browser.wait("document.querySelector('#selected')");
}

#[test]
fn a_range_becomes_a_label_and_a_test_case_that_passes() {
    let Some((project, mut browser)) = page("#rule=hot") else { return };
    browser.wait("document.querySelector('#picture').dataset.drawn");
    let labels = browser.eval("document.querySelectorAll('rect.label[id]').length").as_u64().unwrap();
    let before = browser.picture_of("evaluation");
    select(&mut browser, 0.3, 0.4);
    browser.click("#label-selection");
    browser.fresh_after(&before);
    browser.wait(&format!("document.querySelectorAll('rect.label[id]').length === {}", labels + 1));
    let written: Value = serde_json::from_slice(&fs::read(project.file("sql/labels.json")).unwrap()).unwrap();
    assert_eq!(written[0]["source"], json!("pump-1"));

    select(&mut browser, 0.05, 0.95);
    browser.click("#case-selection");
    browser.fill("#case-name", "what happened <in> January");
    browser.click("#case-make");
    browser.wait("document.querySelector('#note').textContent.includes('has the case now')");
    let tests = fs::read_to_string(project.file("sql/tests/hot.toml")).unwrap();
    assert!(tests.starts_with(TESTS.trim_end()) && tests.contains("what happened <in> January"), "{tests}");
    browser.click("#run-tests");
    browser.wait("document.querySelector('#outcomes')?.dataset.passed === '3'");
    assert_eq!(browser.eval("document.querySelector('#outcomes').dataset.failed"), json!("0"));
    browser.wait("document.querySelectorAll('.cases [data-outcome=passed]').length === 3");
    let told = weir(&["test"]).current_dir(project.folder()).output().unwrap();
    let told = String::from_utf8_lossy(&told.stdout).into_owned() + &String::from_utf8_lossy(&told.stderr);
    assert!(told.contains("3 passed") || !told.contains("hot: what happened"), "the command says the same: {told}");
    browser.is_clean(project.origin());
}

#[test]
fn a_test_that_fails_says_why() {
    let Some((_project, mut browser)) = page("#rule=hot") else { return };
    browser.replace("value > ${limit}", "value > 1000.0");
    browser.click("#run-tests");
    browser.wait("document.querySelector('#outcomes')?.dataset.failed === '1'");
    assert!(browser.eval("document.querySelector('#outcomes').textContent").as_str().unwrap().contains("missing"));
}

#[test]
fn a_link_shows_the_same_view() {
    let Some((project, mut browser)) = page("#rule=mean") else { return };
    browser.click("tr[data-key='pump-1/temperature'] button");
    browser.wait("document.querySelector('#chart-key').textContent === 'pump-1/temperature'");
    browser.click("#zoom-in");
    browser.wait("location.hash.includes('from=')");
    let (link, found) = (browser.eval("location.href").as_str().unwrap().to_owned(), browser.fresh());
    let mut other = Browser::start().unwrap();
    other.open(&link);
    assert_eq!(other.fresh(), found, "another tab, at the same time");
    other.wait("document.querySelector('#chart-key').textContent === 'pump-1/temperature' && !document.querySelector('#zoom-all').disabled");
    assert_eq!(other.picture_of("rule"), "mean");
    browser.click("#zoom-all");
    browser.wait("!location.hash.includes('from=')");
    browser.is_clean(project.origin());
    other.is_clean(project.origin());
}

#[test]
fn the_band_is_known_and_series_are_found_by_name() {
    let Some((project, mut browser)) = page("#rule=mean") else { return };
    browser.wait("document.querySelector('#picture').dataset.expected === 'known'");
    browser.wait("document.querySelector('.legend .band')");
    let counts = browser.eval("[...document.querySelectorAll('.keys tbody tr td:nth-child(2)')].map((cell) => Number(cell.textContent.replace(',', '')))");
    let counts: Vec<u64> = counts.as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).collect();
    assert!(counts.len() == 7 && counts.is_sorted_by(|a, b| a >= b), "{counts:?}");
    browser.fill(".keys input", "pump-3/p");
    browser.wait("document.querySelectorAll('.keys tbody tr').length === 1");
    browser.click(".keys tbody tr button");
    browser.wait("document.querySelector('#picture').dataset.key === 'pump-3/pressure'");
    browser.is_clean(project.origin());
}

#[test]
fn the_keyboard_is_enough() {
    let Some((project, mut browser)) = page("#rule=hot") else { return };
    let focused = "document.activeElement";
    let tab_to = |browser: &mut Browser, wanted: &str| {
        // What is not there yet, or is still being drawn anew, would be passed by.
        browser.wait(&format!("document.querySelector({wanted:?})"));
        for _ in 0..120 {
            browser.key("Tab", 0);
            if browser.eval(&format!("Boolean({focused}.closest({wanted:?}))")) == json!(true) {
                return;
            }
        }
        panic!("{wanted} is not reached by Tab");
    };
    tab_to(&mut browser, ".skip");
    tab_to(&mut browser, "[data-rule=mean]");
    browser.key("Enter", 0);
    browser.wait("document.querySelector('#picture').dataset.rule === 'mean'");
    browser.wait("document.querySelector('.cm-content').textContent.includes('name = \"mean\"')");
    browser.drawn();
    tab_to(&mut browser, ".cm-content");
    let before = browser.picture_of("evaluation");
    browser.key("End", 2);
    browser.insert("-- written without a mouse");
    browser.wait("document.querySelector('.tree em')");
    browser.key("s", 2);
    browser.wait("document.querySelector('#note').textContent.includes('is saved')");
    assert!(fs::read_to_string(project.file("sql/rules/mean.sql")).unwrap().contains("without a mouse"));
    browser.fresh_after(&before);
    browser.wait("!document.querySelector('.tree em')");
    browser.drawn();
    tab_to(&mut browser, ".slider");
    let before = browser.picture_of("evaluation");
    browser.key("ArrowRight", 0);
    browser.wait("location.hash.includes('set.deviations')");
    browser.fresh_after(&before);
    browser.drawn();
    tab_to(&mut browser, ".chart");
    browser.key("ArrowRight", 8);
    browser.wait("document.querySelector('#selection')");
    browser.key("Escape", 0);
    browser.wait("!document.querySelector('#selection')");
    browser.key("+", 0);
    browser.wait("location.hash.includes('from=')");
    let unnamed = browser.eval("[...document.querySelectorAll('button, input, select, textarea, [role=group]')].filter((e) => !(e.textContent.trim() || e.ariaLabel || e.labels?.length || e.title || e.placeholder)).map((e) => e.outerHTML)");
    assert_eq!(unnamed, json!([]), "a screen reader has a name for each");
    browser.is_clean(project.origin());
}

#[test]
fn it_is_dark_where_people_want_it_dark_and_nothing_is_lost_on_a_narrow_screen() {
    let Some(mut browser) = Browser::start() else { return };
    let project = Project::start(&[]);
    let scheme = json!({ "features": [{ "name": "prefers-color-scheme", "value": "dark" }] });
    browser.call("Emulation.setEmulatedMedia", scheme);
    browser.size(390, 844);
    browser.open(&project.url("#rule=mean"));
    browser.fresh();
    let light = |browser: &mut Browser| {
        let rgb = browser.eval("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)");
        rgb.as_array().unwrap().iter().map(|part| part.as_u64().unwrap()).sum::<u64>() > 380
    };
    assert!(!light(&mut browser));
    assert_eq!(browser.eval("document.documentElement.scrollWidth <= innerWidth"), json!(true), "nothing hangs out");
    let hidden = browser.eval("['#save', '#compare', '.chart', '.keys', '.slider'].filter((name) => { const b = document.querySelector(name).getBoundingClientRect(); return b.width < 10 || b.left < 0 || b.right > innerWidth + 1; })");
    assert_eq!(hidden, json!([]));
    browser.click("#theme");
    browser.wait("document.documentElement.dataset.theme === 'light'");
    assert!(light(&mut browser));
    browser.open(&project.url("#rule=mean"));
    browser.fresh();
    assert!(light(&mut browser), "what was chosen stays");
    browser.is_clean(project.origin());
}

#[test]
fn markup_in_records_and_rules_is_shown_and_never_run() {
    let Some(mut browser) = Browser::start() else { return };
    let project = Project::start(&["--input", "hostile.jsonl"]);
    let evil = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>";
    let record = |value: f64, minute: u32| {
        json!({ "timestamp": format!("2026-01-01T00:{minute:02}:00Z"), "value": value, "source": evil, "metric": "temperature" }).to_string()
    };
    let lines: Vec<String> = (0..50).map(|minute| record(if minute == 30 { 99.0 } else { 20.0 }, minute)).collect();
    fs::write(project.file("hostile.jsonl"), lines.join("\n")).unwrap();
    let rule =
        RULE.replace("A reading above a limit", "<b onclick=alert(1)>bold</b><script>document.title='run'</script>");
    fs::write(project.file("sql/rules/hot.sql"), rule).unwrap();
    browser.open(&project.url("#rule=hot"));
    assert_eq!(browser.fresh(), 1);
    browser.wait("document.querySelector('path.mark[data-id]')");
    assert_eq!(browser.eval("document.querySelector('#chart-key').textContent"), json!(format!("{evil}/temperature")));
    browser.click(".anomalies summary");
    browser.wait("document.querySelector('.anomalies td.details').textContent.includes('<img')");
    browser.replace("value > ${limit}", "value > <script>alert(1)</script>");
    browser.wait("document.querySelector('#picture').dataset.state === 'invalid'");
    assert_eq!(browser.eval("document.querySelectorAll('#app img, #app script, #app b[onclick]').length"), json!(0));
    assert_eq!(browser.eval("document.title"), json!("Weir studio"));
    browser.is_clean(project.origin());
}

#[test]
fn a_history_is_chosen_on_the_page_and_one_that_is_none_says_so() {
    let Some((project, mut browser)) = page("#rule=hot") else { return };
    fs::write(project.file("picture.csv"), [0xff, 0xd8, 0xff, 0xe0, 0, 1, 2, 3]).unwrap();
    let rows: Vec<String> =
        (0..60).map(|n| format!("2026-03-01 00:{n:02}:00,{}", if n == 7 { 120 } else { 20 })).collect();
    fs::write(project.file("oven.csv"), format!("time,temperature\n{}\n", rows.join("\n"))).unwrap();
    browser.click("#choose-history");
    browser.fill("#history-dialog textarea", "picture.csv");
    browser.click("#history-dialog button[type=submit]");
    browser.wait("document.querySelector('#history-fault')?.textContent.includes('picture.csv')");
    browser.fill("#history-dialog textarea", "oven.csv");
    browser.click("#history-dialog summary");
    browser.fill("#history-dialog input[name=timestamp]", "time");
    browser.fill("#history-dialog input[name=value]", "temperature");
    let before = browser.picture_of("evaluation");
    browser.click("#history-dialog button[type=submit]");
    browser.wait("!document.querySelector('#history-dialog')");
    // The rule asks for a metric that this history does not have.
    assert_eq!(browser.fresh_after(&before), 0);
    browser.wait("document.querySelector('#nothing')");
    let before = browser.picture_of("evaluation");
    browser.replace("metric = 'temperature' AND ", "");
    assert_eq!(browser.fresh_after(&before), 1);
    assert_eq!(browser.picture_of("key"), "oven/value");
    browser.is_clean(project.origin());
}

#[test]
fn raw_records_of_a_declared_stream_are_chosen_in_the_dialog_and_drawn_with_their_band() {
    let Some(mut browser) = Browser::start() else { return };
    let project = Project::start(&[]);
    fs::create_dir_all(project.file("sql/streams")).unwrap();
    let declared = "key = \"device\"\ntime = { path = \"at\", format = \"rfc3339\" }\nmetrics = [\"temperature\"]\n\n\
        [fields]\ndevice = { type = \"text\", required = true }\ntemperature = \"double\"\n";
    fs::write(project.file("sql/streams/climate.toml"), declared).unwrap();
    let record = |minute: usize| {
        let temperature = if minute == 95 { 400 } else { 20 };
        let (hour, minute) = (minute / 60, minute % 60);
        format!(
            "{{\"device\":\"cellar\",\"at\":\"2026-01-01T{hour:02}:{minute:02}:00Z\",\"temperature\":{temperature}}}\n"
        )
    };
    fs::write(project.file("records.jsonl"), (0..300).map(record).collect::<String>()).unwrap();
    let rule = MEAN
        .replace("series AS key", "device || '/temperature' AS key")
        .replace("SELECT series, tumble", "SELECT device, tumble")
        .replace(
            "avg(value) AS mean FROM events WHERE metric = 'temperature' GROUP BY series",
            "avg(temperature) AS mean FROM climate GROUP BY device",
        )
        .replace("60.0", "20.0")
        .replace("4.0", "1.0");
    fs::write(project.file("sql/rules/mean.sql"), rule).unwrap();
    browser.open(&project.url("#rule=mean"));
    browser.click("#choose-history");
    browser.wait("document.querySelector('#history-stream option[value=climate]')");
    browser.eval("(() => { const e = document.querySelector('#history-stream'); e.value = 'climate'; e.dispatchEvent(new Event('change', { bubbles: true })); })()");
    browser.wait("!document.querySelector('#history-dialog details')");
    browser.fill("#history-dialog textarea", "records.jsonl");
    browser.click("#history-dialog button[type=submit]");
    browser.wait("!document.querySelector('#history-dialog')");
    browser.wait("document.querySelector('#choose-history').textContent.includes('records.jsonl as climate')");
    browser.wait("document.querySelector('#picture').dataset.anomalies === '1'");
    browser.drawn();
    assert_eq!(browser.picture_of("key"), "cellar/temperature");
    browser.wait("document.querySelector('.legend .expected') && document.querySelector('.legend .band')");
    assert_eq!(browser.eval("document.querySelectorAll('path.mark[data-id]').length"), json!(1));
    browser.is_clean(project.origin());
}

#[test]
fn words_are_completed_and_a_sweep_shows_what_each_value_gives() {
    let Some((project, mut browser)) = page("#rule=hot") else { return };
    browser.click(".cm-content");
    // On a line of its own behind the query.
    browser.eval("document.querySelector('.cm-content').focus()");
    for _ in 0..30 {
        browser.key("ArrowDown", 0);
    }
    for letter in ["s", "e", "r", "i"] {
        browser.insert(letter);
    }
    browser.wait("[...document.querySelectorAll('.cm-tooltip-autocomplete li')].some((line) => line.textContent.startsWith('series'))");
    browser.key("Escape", 0);
    browser.click("[data-sweep=limit]");
    browser.wait("document.querySelector('#sweep')?.dataset.rows === '11'");
    browser.click("#sweep tr[data-value='80'] button");
    browser.wait("location.hash.includes('set.limit=80')");
    browser.is_clean(project.origin());
}

#[test]
fn the_readme_shows_this_very_build() {
    let Some(mut browser) = Browser::start() else { return };
    // The rules of this checkout, read and not written.
    let mut server = Project::start(&[]);
    let copied =
        std::process::Command::new("cp").arg("-r").arg(repo().join("sql")).arg(server.folder()).status().unwrap();
    assert!(copied.success());
    ["hot", "mean"].iter().for_each(|rule| fs::remove_file(server.file(&format!("sql/rules/{rule}.sql"))).unwrap());
    server.commit();
    server.serve(&["--input", "plant.jsonl"]);
    let generated =
        weir(&["generate", "--labels-out", "sql/labels.json"]).current_dir(server.folder()).output().unwrap();
    fs::write(server.file("plant.jsonl"), generated.stdout).unwrap();
    browser.size(1360, 850);
    browser.open(&server.url("#rule=ewma_drift&key=pump-3/pressure&compare=1&set.deviations=2.4"));
    browser.fresh();
    // What a person sees who moves a slider: the history is read, and the committed rule is known.
    let before = browser.picture_of("evaluation");
    browser.fill("[data-parameter=deviations]", "2.2");
    browser.fresh_after(&before);
    browser.wait("document.querySelector('#picture').dataset.expected === 'known'");
    browser.wait("document.querySelector('.legend .band') && document.querySelector('path.mark[data-change=gained]')");
    let file = std::env::var_os("WEIR_STUDIO_PICTURE").map_or_else(|| server.file("studio.png"), Into::into);
    browser.picture(&file);
    let size = fs::metadata(&file).unwrap().len();
    assert!((20_000..400_000).contains(&size), "{size} bytes");
    browser.is_clean(server.origin());
}
